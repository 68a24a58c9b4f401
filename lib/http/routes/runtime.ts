import * as z from 'zod';
import type { ErrorCode } from '../../domain/errors.ts';
import { contract } from '../route.ts';
import { pathId } from '../schemas/id.ts';
import * as schemas from '../schemas/runtime.ts';

/** Routes of the shim (docs/architecture.md, "The runtime protocol"). */

const base = { method: 'POST', tag: 'Runtime', auth: 'runtime', status: 200 } as const;
const params = z.object({ id: pathId('task') });
const taskErrors = ['not_found', 'fence_lost', 'runtime_replaced'] as const satisfies ErrorCode[];

export const enroll = contract({
  ...base,
  auth: 'none',
  id: 'enrollRuntime',
  path: '/v1/runtime/enroll',
  summary: 'Prove to be the container that was launched; get a token, credentials and the configuration',
  body: schemas.enrollBody,
  answer: z.union([schemas.enrollAnswer, schemas.standbyAnswer]),
  errors: ['identity_refused', 'runtime_replaced'],
});

export const askStandby = contract({
  ...base,
  id: 'askStandby',
  path: '/v1/runtime/standby',
  summary: 'Ask, as a standby, whether an agent has taken it over',
  body: z.strictObject({}),
  answer: schemas.askStandbyAnswer,
  errors: ['runtime_replaced'],
});

export const claim = contract({
  ...base,
  id: 'claimTasks',
  path: '/v1/runtime/claim',
  summary: 'Claim tasks for the free slots and hear what to cancel and whether to stop',
  body: schemas.claimBody,
  answer: schemas.instructions,
  errors: ['runtime_replaced'],
});

export const heartbeat = contract({
  ...base,
  id: 'heartbeatTask',
  path: '/v1/runtime/tasks/{id}/heartbeat',
  summary: 'Renew the lease of a task',
  params,
  body: schemas.heartbeatBody,
  answer: schemas.heartbeatAnswer,
  errors: taskErrors,
});

export const taskEvents = contract({
  ...base,
  id: 'recordTaskEvents',
  path: '/v1/runtime/tasks/{id}/events',
  summary: 'Record log lines and progress of a task',
  params,
  body: schemas.taskEventsBody,
  answer: schemas.taskEventsAnswer,
  errors: taskErrors,
});

export const completeTask = contract({
  ...base,
  id: 'completeTask',
  path: '/v1/runtime/tasks/{id}/complete',
  summary: 'Finish a task with its output; the answer brings the next',
  params,
  body: schemas.completeBody,
  answer: schemas.finishAnswer,
  errors: [...taskErrors, 'too_large'],
});

export const failTask = contract({
  ...base,
  id: 'failTask',
  path: '/v1/runtime/tasks/{id}/fail',
  summary: 'End an attempt that failed, timed out or was cancelled',
  params,
  body: schemas.failBody,
  answer: schemas.finishAnswer,
  errors: taskErrors,
});

export const releaseTask = contract({
  ...base,
  id: 'releaseTask',
  path: '/v1/runtime/tasks/{id}/release',
  summary: 'Give a task back to the queue without blame',
  params,
  body: schemas.releaseBody,
  answer: schemas.finishAnswer,
  errors: taskErrors,
});

export const createOutput = contract({
  ...base,
  id: 'createOutput',
  path: '/v1/runtime/outputs/{id}',
  summary: 'Get a URL to upload a large output to',
  params,
  body: schemas.outputBody,
  answer: schemas.outputAnswer,
  errors: [...taskErrors, 'too_large'],
});

export const saveWorkspace = contract({
  ...base,
  id: 'saveWorkspace',
  path: '/v1/runtime/workspace',
  summary: 'Make an uploaded generation the current one',
  body: schemas.workspaceBody,
  answer: schemas.workspaceAnswer,
  errors: ['runtime_replaced', 'generation_conflict', 'workspace_unverified'],
});

export const reportDamage = contract({
  ...base,
  id: 'reportDamage',
  path: '/v1/runtime/workspace/damaged',
  summary: 'Say that the current generation can not be restored; get the last good one',
  body: schemas.damageBody,
  answer: schemas.damageAnswer,
  errors: ['runtime_replaced', 'generation_conflict', 'workspace_unverified'],
});

export const renewCredentials = contract({
  ...base,
  id: 'renewCredentials',
  path: '/v1/runtime/credentials',
  summary: 'Renew the token and the credentials',
  body: schemas.credentialsBody,
  answer: schemas.credentialsAnswer,
  errors: ['runtime_replaced', 'identity_refused'],
});

export const keepActive = contract({
  ...base,
  id: 'keepActive',
  path: '/v1/runtime/activity',
  summary: 'Keep the agent from idling for a while',
  body: schemas.activityBody,
  answer: schemas.activityAnswer,
  errors: ['runtime_replaced'],
});

export const stopRuntime = contract({
  ...base,
  id: 'stopRuntime',
  path: '/v1/runtime/stop',
  summary: 'Say goodbye, or hear that there is more work',
  body: schemas.stopBody,
  answer: schemas.stopAnswer,
  errors: ['runtime_replaced'],
});
