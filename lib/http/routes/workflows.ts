import * as z from 'zod';
import { contract } from '../route.ts';
import { pathName, templateName } from '../schemas/id.ts';
import { page, pageQuery, queryInteger } from '../schemas/page.ts';
import { run, startRunBody } from '../schemas/run.ts';
import { definition, workflow } from '../schemas/workflow.ts';

const params = z.object({ name: pathName('workflow') });

const base = { tag: 'Workflows', auth: 'key' } as const;
const read = { ...base, method: 'GET', status: 200 } as const;
const change = { ...base, role: 'member' } as const;

export const putWorkflow = contract({
  ...change,
  id: 'putWorkflow',
  method: 'PUT',
  path: '/v1/workflows/{name}',
  summary: 'Create a workflow, or its next version if anything differs',
  description:
    'Answers 201 with a new version, 200 with the present one if nothing differs. Everything that is wrong with a definition is told at once, each with its path: cycles, unknown steps, expressions that do not parse, schemas that are none.',
  params: z.object({ name: templateName }),
  body: definition,
  answer: workflow,
  status: 201,
  otherStatus: 200,
  errors: ['conflict'],
});

export const listWorkflows = contract({
  ...read,
  id: 'listWorkflows',
  path: '/v1/workflows',
  summary: 'List the current version of each workflow',
  query: z.strictObject(pageQuery),
  answer: page(workflow),
});

export const getWorkflow = contract({
  ...read,
  id: 'getWorkflow',
  path: '/v1/workflows/{name}',
  summary: 'Read a workflow: the current version, or the one that is asked for',
  params,
  query: z.strictObject({ version: queryInteger(1, 99_999_999).optional() }),
  answer: workflow,
  errors: ['not_found'],
});

export const deleteWorkflow = contract({
  ...change,
  id: 'deleteWorkflow',
  method: 'DELETE',
  path: '/v1/workflows/{name}',
  summary: 'Delete a workflow; its runs go on with the version that they hold',
  params,
  answer: z.undefined(),
  status: 204,
  errors: ['not_found'],
});

export const startRun = contract({
  ...change,
  id: 'startRun',
  method: 'POST',
  path: '/v1/workflows/{name}/runs',
  summary: 'Start a run of the current version; one for each Idempotency-Key',
  params,
  body: startRunBody,
  answer: run,
  status: 202,
  errors: ['not_found', 'conflict'],
});
