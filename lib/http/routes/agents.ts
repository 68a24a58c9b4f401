import * as z from 'zod';
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

const base = { tag: 'Agents', auth: 'key' } as const;
const read = { ...base, method: 'GET', status: 200 } as const;
const change = { ...base, role: 'member' } as const;
/** A verb of one agent. */
const verb = { ...change, method: 'POST', params, answer: agent, status: 202 } as const;

export const createAgent = contract({
  ...change,
  id: 'createAgent',
  method: 'POST',
  path: '/v1/agents',
  summary: 'Create an agent from a template',
  body: createAgentBody,
  answer: agent,
  status: 201,
  errors: ['conflict', 'limit_reached'],
});

export const listAgents = contract({
  ...read,
  id: 'listAgents',
  path: '/v1/agents',
  summary: 'List agents, newest first',
  description: 'Filters may repeat: any of the statuses and templates, all of the labels.',
  query: listAgentsQuery,
  answer: page(agent),
});

export const getAgent = contract({
  ...read,
  id: 'getAgent',
  path: '/v1/agents/{id}',
  summary: 'Read an agent',
  params,
  answer: agent,
  errors: ['not_found'],
});

export const patchAgent = contract({
  ...change,
  id: 'patchAgent',
  method: 'PATCH',
  path: '/v1/agents/{id}',
  summary: 'Change an agent; in force from its next wake',
  description: 'A field that is given replaces the whole field.',
  params,
  body: patchAgentBody,
  answer: agent,
  status: 200,
  errors: ['not_found', 'conflict', 'agent_terminated'],
});

export const deleteAgent = contract({
  ...change,
  id: 'deleteAgent',
  method: 'DELETE',
  path: '/v1/agents/{id}',
  summary: 'Terminate an agent: stop it, then remove its workspace and queue',
  params,
  answer: agent,
  status: 202,
  errors: ['not_found', 'conflict'],
});

export const pauseAgent = contract({
  ...verb,
  id: 'pauseAgent',
  path: '/v1/agents/{id}/pause',
  summary: 'Pause an agent; with hold it does not wake until resumed',
  body: pauseBody,
  errors: ['not_found', 'tasks_running', 'illegal_transition', 'conflict', 'agent_terminated'],
});

export const resumeAgent = contract({
  ...verb,
  id: 'resumeAgent',
  path: '/v1/agents/{id}/resume',
  summary: 'End the hold of an agent and start it',
  errors: ['not_found', 'illegal_transition', 'conflict', 'agent_terminated'],
});

export const recoverAgent = contract({
  ...verb,
  id: 'recoverAgent',
  path: '/v1/agents/{id}/recover',
  summary: 'Take an agent out of error; its queued tasks go on',
  errors: ['not_found', 'illegal_transition', 'conflict', 'agent_terminated'],
});

export const keepActive = contract({
  ...change,
  id: 'keepAgentActive',
  method: 'POST',
  path: '/v1/agents/{id}/activity',
  summary: 'Keep an agent from idling for a while; it wakes nobody',
  description:
    'A lease ends after an hour at the latest, and leases in a row, with no task between them, after four hours. The idle time counts from their end.',
  params,
  body: activityBody,
  answer: agent,
  status: 200,
  errors: ['not_found', 'illegal_transition', 'conflict'],
});

export const archiveAgent = contract({
  ...verb,
  id: 'archiveAgent',
  path: '/v1/agents/{id}/archive',
  summary: 'Put an agent away that is not running; it takes no work and never wakes',
  description:
    'Of its workspace only the current generation is kept. Tasks that wait stay queued, and expire in their time.',
  errors: ['not_found', 'illegal_transition', 'conflict'],
});

export const restoreAgent = contract({
  ...verb,
  id: 'restoreAgent',
  path: '/v1/agents/{id}/restore',
  summary: 'Take an agent out of the archive; work that waits wakes it',
  errors: ['not_found', 'illegal_transition', 'conflict'],
});

export const forkAgent = contract({
  ...change,
  id: 'forkAgent',
  method: 'POST',
  path: '/v1/agents/{id}/fork',
  summary: 'Create an agent like another one, with a copy of its files',
  description:
    'It has the template, version, overrides and labels of the other. It takes work at once, and starts when its files are copied; until then its statusReason says how far that is.',
  params,
  body: forkBody,
  answer: agent,
  status: 201,
  errors: ['not_found', 'conflict', 'agent_terminated'],
});

export const rollBackAgent = contract({
  ...change,
  id: 'rollBackAgent',
  method: 'POST',
  path: '/v1/agents/{id}/rollback',
  summary: 'Point an agent that is not running back to an earlier generation of its workspace',
  description: 'Later generations stay, until they are too many. The next save gets a number above them all.',
  params,
  body: rollbackBody,
  answer: agent,
  status: 200,
  errors: ['not_found', 'illegal_transition', 'conflict'],
});

export const listGenerations = contract({
  ...read,
  id: 'listGenerations',
  path: '/v1/agents/{id}/generations',
  summary: 'List the saved generations of the workspace, newest first',
  params,
  query: z.strictObject(pageQuery),
  answer: page(generation),
  errors: ['not_found'],
});

export const listGenerationFiles = contract({
  ...read,
  id: 'listGenerationFiles',
  path: '/v1/agents/{id}/generations/{generation}/files',
  summary: 'List the files of a generation by path, or read one',
  description: 'With `path` the answer is that file itself, as application/octet-stream, up to 4 MiB.',
  params: z.object({ id: pathId('agent'), generation: pathNumber('generation') }),
  query: generationFilesQuery,
  answer: page(generationFile),
  errors: ['not_found', 'too_large'],
});
