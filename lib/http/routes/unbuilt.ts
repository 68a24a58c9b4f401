import type { Method } from '../route.ts';

/** Routes of the documented contract that are not built: they answer 422 `not_supported` instead of 404. */
export const unbuiltRoutes: readonly { method: Method; path: string }[] = [
  { method: 'POST', path: '/v1/channels/{name}/messages' },
  { method: 'PUT', path: '/v1/channels/{name}/subscribers/{agentId}' },
  { method: 'DELETE', path: '/v1/channels/{name}/subscribers/{agentId}' },
  { method: 'GET', path: '/v1/state/{namespace}' },
  { method: 'GET', path: '/v1/state/{namespace}/{key}' },
  { method: 'PUT', path: '/v1/state/{namespace}/{key}' },
  { method: 'DELETE', path: '/v1/state/{namespace}/{key}' },
  { method: 'GET', path: '/v1/usage' },
  { method: 'GET', path: '/v1/api-keys' },
  { method: 'POST', path: '/v1/api-keys' },
  { method: 'GET', path: '/v1/api-keys/{id}' },
  { method: 'DELETE', path: '/v1/api-keys/{id}' },
];
