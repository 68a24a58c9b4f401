import { contract } from '../route.ts';
import { health, openapiDocument } from '../schemas/service.ts';

export const getHealth = contract({
  id: 'getHealth',
  method: 'GET',
  path: '/v1/health',
  tag: 'Service',
  summary: 'Say whether the API is up',
  auth: 'none',
  answer: health,
  status: 200,
});

export const getOpenapi = contract({
  id: 'getOpenapi',
  method: 'GET',
  path: '/v1/openapi.json',
  tag: 'Service',
  summary: 'Describe the API in OpenAPI 3.1',
  auth: 'none',
  answer: openapiDocument,
  status: 200,
});
