import { z } from 'zod';
import { contract } from '../route.ts';
import { pathName, templateName } from '../schemas/id.ts';
import { page, pageQuery, queryInteger } from '../schemas/page.ts';
import { template, templateSpec } from '../schemas/template.ts';

const params = z.object({ name: pathName('template') });

export const putTemplate = contract({
  id: 'putTemplate',
  method: 'PUT',
  path: '/v1/templates/{name}',
  tag: 'Templates',
  summary: 'Create a template, or its next version if anything differs',
  description: 'Answers 201 with a new version, 200 with the present one if nothing differs.',
  auth: 'key',
  role: 'member',
  params: z.object({ name: templateName }),
  body: templateSpec,
  answer: template,
  status: 201,
  otherStatus: 200,
  errors: ['conflict'],
});

export const listTemplates = contract({
  id: 'listTemplates',
  method: 'GET',
  path: '/v1/templates',
  tag: 'Templates',
  summary: 'List the current version of each template',
  auth: 'key',
  query: z.strictObject(pageQuery),
  answer: page(template),
  status: 200,
});

export const getTemplate = contract({
  id: 'getTemplate',
  method: 'GET',
  path: '/v1/templates/{name}',
  tag: 'Templates',
  summary: 'Read a template: the current version, or the one that is asked for',
  auth: 'key',
  params,
  query: z.strictObject({ version: queryInteger(1, 99_999_999).optional() }),
  answer: template,
  status: 200,
  errors: ['not_found'],
});

export const deleteTemplate = contract({
  id: 'deleteTemplate',
  method: 'DELETE',
  path: '/v1/templates/{name}',
  tag: 'Templates',
  summary: 'Delete a template that no agent uses',
  auth: 'key',
  role: 'member',
  params,
  answer: z.undefined(),
  status: 204,
  errors: ['not_found', 'template_in_use'],
});
