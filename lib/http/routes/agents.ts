import { z } from 'zod';
import { contract } from '../route.ts';
import {
  activityBody,
  agent,
  createAgentBody,
  forkBody,
  listAgentsQuery,
  patchAgentBody,
  pauseBody,
  rollbackBody,
} from '../schemas/agent.ts';
import { generation } from '../schemas/generation.ts';
import { generationFile, generationFilesQuery } from '../schemas/generation-file.ts';
import { pathId, pathNumber } from '../schemas/id.ts';
import { page, pageQuery } from '../schemas/page.ts';

const params = z.object({ id: pathId('agent') });

export const createAgent = contract({
  id: 'createAgent',
  method: 'POST',
  path: '/v1/agents',
  tag: 'Agents',
  summary: 'Create an agent from a template',
  auth: 'key',
  role: 'member',
  body: createAgentBody,
  answer: agent,
  status: 201,
  errors: ['conflict', 'limit_reached'],
});

export const listAgents = contract({
  id: 'listAgents',
  method: 'GET',
  path: '/v1/agents',
  tag: 'Agents',
  summary: 'List agents, newest first',
  description: 'Filters may repeat: any of the statuses and templates, all of the labels.',
  auth: 'key',
  query: listAgentsQuery,
  answer: page(agent),
  status: 200,
});

export const getAgent = contract({
  id: 'getAgent',
  method: 'GET',
  path: '/v1/agents/{id}',
  tag: 'Agents',
  summary: 'Read an agent',
  auth: 'key',
  params,
  answer: agent,
  status: 200,
  errors: ['not_found'],
});

export const patchAgent = contract({
  id: 'patchAgent',
  method: 'PATCH',
  path: '/v1/agents/{id}',
  tag: 'Agents',
  summary: 'Change an agent; in force from its next wake',
  description: 'A field that is given replaces the whole field.',
  auth: 'key',
  role: 'member',
  params,
  body: patchAgentBody,
  answer: agent,
  status: 200,
  errors: ['not_found', 'conflict', 'agent_terminated'],
});

export const deleteAgent = contract({
  id: 'deleteAgent',
  method: 'DELETE',
  path: '/v1/agents/{id}',
  tag: 'Agents',
  summary: 'Terminate an agent: stop it, then remove its workspace and queue',
  auth: 'key',
  role: 'member',
  params,
  answer: agent,
  status: 202,
  errors: ['not_found', 'conflict'],
});

export const pauseAgent = contract({
  id: 'pauseAgent',
  method: 'POST',
  path: '/v1/agents/{id}/pause',
  tag: 'Agents',
  summary: 'Pause an agent; with hold it does not wake until resumed',
  auth: 'key',
  role: 'member',
  params,
  body: pauseBody,
  answer: agent,
  status: 202,
  errors: ['not_found', 'tasks_running', 'illegal_transition', 'conflict', 'agent_terminated'],
});

export const resumeAgent = contract({
  id: 'resumeAgent',
  method: 'POST',
  path: '/v1/agents/{id}/resume',
  tag: 'Agents',
  summary: 'End the hold of an agent and start it',
  auth: 'key',
  role: 'member',
  params,
  answer: agent,
  status: 202,
  errors: ['not_found', 'illegal_transition', 'conflict', 'agent_terminated'],
});

export const recoverAgent = contract({
  id: 'recoverAgent',
  method: 'POST',
  path: '/v1/agents/{id}/recover',
  tag: 'Agents',
  summary: 'Take an agent out of error; its queued tasks go on',
  auth: 'key',
  role: 'member',
  params,
  answer: agent,
  status: 202,
  errors: ['not_found', 'illegal_transition', 'conflict', 'agent_terminated'],
});

export const keepActive = contract({
  id: 'keepAgentActive',
  method: 'POST',
  path: '/v1/agents/{id}/activity',
  tag: 'Agents',
  summary: 'Keep an agent from idling for a while; it wakes nobody',
  description:
    'A lease ends after an hour at the latest, and leases in a row, with no task between them, after four hours. The idle time counts from their end.',
  auth: 'key',
  role: 'member',
  params,
  body: activityBody,
  answer: agent,
  status: 200,
  errors: ['not_found', 'illegal_transition', 'conflict'],
});

export const archiveAgent = contract({
  id: 'archiveAgent',
  method: 'POST',
  path: '/v1/agents/{id}/archive',
  tag: 'Agents',
  summary: 'Put an agent away that is not running; it takes no work and never wakes',
  description:
    'Of its workspace only the current generation is kept. Tasks that wait stay queued, and expire in their time.',
  auth: 'key',
  role: 'member',
  params,
  answer: agent,
  status: 202,
  errors: ['not_found', 'illegal_transition', 'conflict'],
});

export const restoreAgent = contract({
  id: 'restoreAgent',
  method: 'POST',
  path: '/v1/agents/{id}/restore',
  tag: 'Agents',
  summary: 'Take an agent out of the archive; work that waits wakes it',
  auth: 'key',
  role: 'member',
  params,
  answer: agent,
  status: 202,
  errors: ['not_found', 'illegal_transition', 'conflict'],
});

export const forkAgent = contract({
  id: 'forkAgent',
  method: 'POST',
  path: '/v1/agents/{id}/fork',
  tag: 'Agents',
  summary: 'Create an agent like another one, with a copy of its files',
  description:
    'It has the template, version, overrides and labels of the other. It takes work at once, and starts when its files are copied; until then its statusReason says how far that is.',
  auth: 'key',
  role: 'member',
  params,
  body: forkBody,
  answer: agent,
  status: 201,
  errors: ['not_found', 'conflict', 'agent_terminated'],
});

export const rollBackAgent = contract({
  id: 'rollBackAgent',
  method: 'POST',
  path: '/v1/agents/{id}/rollback',
  tag: 'Agents',
  summary: 'Point an agent that is not running back to an earlier generation of its workspace',
  description: 'Later generations stay, until they are too many. The next save gets a number above them all.',
  auth: 'key',
  role: 'member',
  params,
  body: rollbackBody,
  answer: agent,
  status: 200,
  errors: ['not_found', 'illegal_transition', 'conflict'],
});

export const listGenerations = contract({
  id: 'listGenerations',
  method: 'GET',
  path: '/v1/agents/{id}/generations',
  tag: 'Agents',
  summary: 'List the saved generations of the workspace, newest first',
  auth: 'key',
  params,
  query: z.strictObject(pageQuery),
  answer: page(generation),
  status: 200,
  errors: ['not_found'],
});

export const listGenerationFiles = contract({
  id: 'listGenerationFiles',
  method: 'GET',
  path: '/v1/agents/{id}/generations/{generation}/files',
  tag: 'Agents',
  summary: 'List the files of a generation by path, or read one',
  description: 'With `path` the answer is that file itself, as application/octet-stream, up to 4 MiB.',
  auth: 'key',
  params: z.object({ id: pathId('agent'), generation: pathNumber('generation') }),
  query: generationFilesQuery,
  answer: page(generationFile),
  status: 200,
  errors: ['not_found', 'too_large'],
});
