import { z } from 'zod';
import { notFoundSentence } from '../../domain/errors.ts';
import { contract } from '../route.ts';
import { pathId } from '../schemas/id.ts';
import { page } from '../schemas/page.ts';
import { answerBody, getRunQuery, listRunsQuery, rerunBody, run, runSummary, signalBody } from '../schemas/run.ts';

const params = z.object({ id: pathId('run') });
const step = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, { error: (issue) => notFoundSentence('step', String(issue.input)) });
const stepParams = z.object({ id: pathId('run'), step });

const shared = { tag: 'Runs', auth: 'key', role: 'member', answer: run, status: 202 } as const;
const changeErrors = ['not_found', 'illegal_transition', 'conflict'] as const;

export const listRuns = contract({
  id: 'listRuns',
  method: 'GET',
  path: '/v1/runs',
  tag: 'Runs',
  summary: 'List runs, newest first',
  auth: 'key',
  query: listRunsQuery,
  answer: page(runSummary),
  status: 200,
});

export const getRun = contract({
  id: 'getRun',
  method: 'GET',
  path: '/v1/runs/{id}',
  tag: 'Runs',
  summary: 'Read a run with all of its steps; with waitSeconds, wait for its end',
  auth: 'key',
  params,
  query: getRunQuery,
  answer: run,
  status: 200,
  waits: true,
  errors: ['not_found'],
});

export const cancelRun = contract({
  ...shared,
  id: 'cancelRun',
  method: 'POST',
  path: '/v1/runs/{id}/cancel',
  summary: 'Cancel a run; it is cancelled when nothing of it runs any more',
  params,
  errors: changeErrors,
});

export const rerun = contract({
  ...shared,
  id: 'rerun',
  method: 'POST',
  path: '/v1/runs/{id}/rerun',
  summary: 'Run again what is over, as a new run; with fromStep, keep what was done before that step',
  params,
  body: rerunBody,
  errors: changeErrors,
});

export const approveStep = contract({
  ...shared,
  id: 'approveStep',
  method: 'POST',
  path: '/v1/runs/{id}/steps/{step}/approve',
  summary: 'Approve',
  params: stepParams,
  body: answerBody,
  errors: changeErrors,
});

export const rejectStep = contract({
  ...shared,
  id: 'rejectStep',
  method: 'POST',
  path: '/v1/runs/{id}/steps/{step}/reject',
  summary: 'Reject',
  params: stepParams,
  body: answerBody,
  errors: changeErrors,
});

export const signalStep = contract({
  ...shared,
  id: 'signalStep',
  method: 'POST',
  path: '/v1/runs/{id}/steps/{step}/signal',
  summary: 'Give a step the signal that it waits for; one that comes before is kept',
  params: stepParams,
  body: signalBody,
  errors: changeErrors,
});
