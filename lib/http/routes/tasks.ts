import * as z from 'zod';
import { contract } from '../route.ts';
import { pathId } from '../schemas/id.ts';
import { page } from '../schemas/page.ts';
import { cancelTaskBody, createTaskBody, getTaskQuery, listTasksQuery, task, taskSummary } from '../schemas/task.ts';
import { createUploadBody, upload } from '../schemas/upload.ts';

const agentParams = z.object({ id: pathId('agent') });
const params = z.object({ id: pathId('task') });

const base = { tag: 'Tasks', auth: 'key' } as const;
const read = { ...base, method: 'GET', status: 200 } as const;
const change = { ...base, role: 'member' } as const;
/** A verb of one task. */
const verb = { ...change, method: 'POST', params, answer: task, status: 202 } as const;

export const createTask = contract({
  ...change,
  id: 'createTask',
  method: 'POST',
  path: '/v1/agents/{id}/tasks',
  summary: 'Give an agent a task; a paused agent wakes by itself',
  params: agentParams,
  body: createTaskBody,
  answer: task,
  status: 202,
  errors: ['not_found', 'agent_busy', 'agent_archived', 'agent_terminated', 'conflict'],
});

export const getTask = contract({
  ...read,
  id: 'getTask',
  path: '/v1/tasks/{id}',
  summary: 'Read a task; with waitSeconds, wait for its final state',
  params,
  query: getTaskQuery,
  answer: task,
  waits: true,
  errors: ['not_found'],
});

export const listAgentTasks = contract({
  ...read,
  id: 'listAgentTasks',
  path: '/v1/agents/{id}/tasks',
  summary: 'List the tasks of an agent, newest first',
  params: agentParams,
  query: listTasksQuery,
  answer: page(taskSummary),
  errors: ['not_found'],
});

export const listTasks = contract({
  ...read,
  id: 'listTasks',
  path: '/v1/tasks',
  summary: 'List tasks, newest first',
  query: listTasksQuery,
  answer: page(taskSummary),
});

export const cancelTask = contract({
  ...verb,
  id: 'cancelTask',
  path: '/v1/tasks/{id}/cancel',
  summary: 'Cancel a task; it is cancelled when nothing of it runs any more',
  body: cancelTaskBody,
  errors: ['not_found', 'illegal_transition', 'conflict'],
});

export const retryTask = contract({
  ...verb,
  id: 'retryTask',
  path: '/v1/tasks/{id}/retry',
  summary: 'Try a failed, timed out or cancelled task again, as a new task',
  errors: ['not_found', 'illegal_transition', 'agent_archived', 'agent_terminated', 'conflict'],
});

export const createUpload = contract({
  ...change,
  id: 'createUpload',
  method: 'POST',
  path: '/v1/uploads',
  summary: 'Get a URL to upload a large input to',
  body: createUploadBody,
  answer: upload,
  status: 201,
});
