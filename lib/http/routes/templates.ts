import * as z from 'zod';
import { contract } from '../route.ts';
import { pathName, templateName } from '../schemas/id.ts';
import { page, pageQuery, queryInteger } from '../schemas/page.ts';
import { template, templateSpec } from '../schemas/template.ts';

const params = z.object({ name: pathName('template') });

const base = { tag: 'Templates', auth: 'key' } as const;
const read = { ...base, method: 'GET', status: 200 } as const;
const change = { ...base, role: 'member' } as const;

export const putTemplate = contract({
  ...change,
  id: 'putTemplate',
  method: 'PUT',
  path: '/v1/templates/{name}',
  summary: 'Create a template, or its next version if anything differs',
  description: 'Answers 201 with a new version, 200 with the present one if nothing differs.',
  params: z.object({ name: templateName }),
  body: templateSpec,
  answer: template,
  status: 201,
  otherStatus: 200,
  errors: ['conflict'],
});

export const listTemplates = contract({
  ...read,
  id: 'listTemplates',
  path: '/v1/templates',
  summary: 'List the current version of each template',
  query: z.strictObject(pageQuery),
  answer: page(template),
});

export const getTemplate = contract({
  ...read,
  id: 'getTemplate',
  path: '/v1/templates/{name}',
  summary: 'Read a template: the current version, or the one that is asked for',
  params,
  query: z.strictObject({ version: queryInteger(1, 99_999_999).optional() }),
  answer: template,
  errors: ['not_found'],
});

export const deleteTemplate = contract({
  ...change,
  id: 'deleteTemplate',
  method: 'DELETE',
  path: '/v1/templates/{name}',
  summary: 'Delete a template that no agent uses',
  params,
  answer: z.undefined(),
  status: 204,
  errors: ['not_found', 'template_in_use'],
});
