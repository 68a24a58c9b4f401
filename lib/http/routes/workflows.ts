import { z } from 'zod';
import { contract } from '../route.ts';
import { pathName, templateName } from '../schemas/id.ts';
import { page, pageQuery, queryInteger } from '../schemas/page.ts';
import { run, startRunBody } from '../schemas/run.ts';
import { definition, workflow } from '../schemas/workflow.ts';

const params = z.object({ name: pathName('workflow') });

export const putWorkflow = contract({
  id: 'putWorkflow',
  method: 'PUT',
  path: '/v1/workflows/{name}',
  tag: 'Workflows',
  summary: 'Create a workflow, or its next version if anything differs',
  description:
    'Answers 201 with a new version, 200 with the present one if nothing differs. Everything that is wrong with a definition is told at once, each with its path: cycles, unknown steps, expressions that do not parse, schemas that are none.',
  auth: 'key',
  role: 'member',
  params: z.object({ name: templateName }),
  body: definition,
  answer: workflow,
  status: 201,
  otherStatus: 200,
  errors: ['conflict'],
});

export const listWorkflows = contract({
  id: 'listWorkflows',
  method: 'GET',
  path: '/v1/workflows',
  tag: 'Workflows',
  summary: 'List the current version of each workflow',
  auth: 'key',
  query: z.strictObject(pageQuery),
  answer: page(workflow),
  status: 200,
});

export const getWorkflow = contract({
  id: 'getWorkflow',
  method: 'GET',
  path: '/v1/workflows/{name}',
  tag: 'Workflows',
  summary: 'Read a workflow: the current version, or the one that is asked for',
  auth: 'key',
  params,
  query: z.strictObject({ version: queryInteger(1, 99_999_999).optional() }),
  answer: workflow,
  status: 200,
  errors: ['not_found'],
});

export const deleteWorkflow = contract({
  id: 'deleteWorkflow',
  method: 'DELETE',
  path: '/v1/workflows/{name}',
  tag: 'Workflows',
  summary: 'Delete a workflow; its runs go on with the version that they hold',
  auth: 'key',
  role: 'member',
  params,
  answer: z.undefined(),
  status: 204,
  errors: ['not_found'],
});

export const startRun = contract({
  id: 'startRun',
  method: 'POST',
  path: '/v1/workflows/{name}/runs',
  tag: 'Workflows',
  summary: 'Start a run of the current version; one for each Idempotency-Key',
  auth: 'key',
  role: 'member',
  params,
  body: startRunBody,
  answer: run,
  status: 202,
  errors: ['not_found', 'conflict'],
});
