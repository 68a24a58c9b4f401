import { z } from 'zod';
import { contract } from '../route.ts';
import { pathId } from '../schemas/id.ts';
import { page } from '../schemas/page.ts';
import { cancelTaskBody, createTaskBody, getTaskQuery, listTasksQuery, task, taskSummary } from '../schemas/task.ts';
import { createUploadBody, upload } from '../schemas/upload.ts';

const agentParams = z.object({ id: pathId('agent') });
const params = z.object({ id: pathId('task') });

export const createTask = contract({
  id: 'createTask',
  method: 'POST',
  path: '/v1/agents/{id}/tasks',
  tag: 'Tasks',
  summary: 'Give an agent a task; a paused agent wakes by itself',
  auth: 'key',
  role: 'member',
  params: agentParams,
  body: createTaskBody,
  answer: task,
  status: 202,
  errors: ['not_found', 'agent_busy', 'agent_archived', 'agent_terminated', 'conflict'],
});

export const getTask = contract({
  id: 'getTask',
  method: 'GET',
  path: '/v1/tasks/{id}',
  tag: 'Tasks',
  summary: 'Read a task; with waitSeconds, wait for its final state',
  auth: 'key',
  params,
  query: getTaskQuery,
  answer: task,
  status: 200,
  waits: true,
  errors: ['not_found'],
});

export const listAgentTasks = contract({
  id: 'listAgentTasks',
  method: 'GET',
  path: '/v1/agents/{id}/tasks',
  tag: 'Tasks',
  summary: 'List the tasks of an agent, newest first',
  auth: 'key',
  params: agentParams,
  query: listTasksQuery,
  answer: page(taskSummary),
  status: 200,
  errors: ['not_found'],
});

export const listTasks = contract({
  id: 'listTasks',
  method: 'GET',
  path: '/v1/tasks',
  tag: 'Tasks',
  summary: 'List tasks, newest first',
  auth: 'key',
  query: listTasksQuery,
  answer: page(taskSummary),
  status: 200,
});

export const cancelTask = contract({
  id: 'cancelTask',
  method: 'POST',
  path: '/v1/tasks/{id}/cancel',
  tag: 'Tasks',
  summary: 'Cancel a task; it is cancelled when nothing of it runs any more',
  auth: 'key',
  role: 'member',
  params,
  body: cancelTaskBody,
  answer: task,
  status: 202,
  errors: ['not_found', 'illegal_transition', 'conflict'],
});

export const retryTask = contract({
  id: 'retryTask',
  method: 'POST',
  path: '/v1/tasks/{id}/retry',
  tag: 'Tasks',
  summary: 'Try a failed, timed out or cancelled task again, as a new task',
  auth: 'key',
  role: 'member',
  params,
  answer: task,
  status: 202,
  errors: ['not_found', 'illegal_transition', 'agent_archived', 'agent_terminated', 'conflict'],
});

export const createUpload = contract({
  id: 'createUpload',
  method: 'POST',
  path: '/v1/uploads',
  tag: 'Tasks',
  summary: 'Get a URL to upload a large input to',
  auth: 'key',
  role: 'member',
  body: createUploadBody,
  answer: upload,
  status: 201,
});
