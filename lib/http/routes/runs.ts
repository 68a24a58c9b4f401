import * as z from 'zod';
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

const base = { tag: 'Runs', auth: 'key' } as const;
const read = { ...base, method: 'GET', status: 200 } as const;
/** A verb of one run, or of a step of it. */
const verb = {
  ...base,
  role: 'member',
  method: 'POST',
  answer: run,
  status: 202,
  errors: ['not_found', 'illegal_transition', 'conflict'],
} as const;

export const listRuns = contract({
  ...read,
  id: 'listRuns',
  path: '/v1/runs',
  summary: 'List runs, newest first',
  query: listRunsQuery,
  answer: page(runSummary),
});

export const getRun = contract({
  ...read,
  id: 'getRun',
  path: '/v1/runs/{id}',
  summary: 'Read a run with all of its steps; with waitSeconds, wait for its end',
  params,
  query: getRunQuery,
  answer: run,
  waits: true,
  errors: ['not_found'],
});

export const cancelRun = contract({
  ...verb,
  id: 'cancelRun',
  path: '/v1/runs/{id}/cancel',
  summary: 'Cancel a run; it is cancelled when nothing of it runs any more',
  params,
});

export const rerun = contract({
  ...verb,
  id: 'rerun',
  path: '/v1/runs/{id}/rerun',
  summary: 'Run again what is over, as a new run; with fromStep, keep what was done before that step',
  params,
  body: rerunBody,
});

export const approveStep = contract({
  ...verb,
  id: 'approveStep',
  path: '/v1/runs/{id}/steps/{step}/approve',
  summary: 'Approve',
  params: stepParams,
  body: answerBody,
});

export const rejectStep = contract({
  ...verb,
  id: 'rejectStep',
  path: '/v1/runs/{id}/steps/{step}/reject',
  summary: 'Reject',
  params: stepParams,
  body: answerBody,
});

export const signalStep = contract({
  ...verb,
  id: 'signalStep',
  path: '/v1/runs/{id}/steps/{step}/signal',
  summary: 'Give a step the signal that it waits for; one that comes before is kept',
  params: stepParams,
  body: signalBody,
});
