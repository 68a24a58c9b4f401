import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { errorCatalog } from '../../lib/domain/errors.ts';
import { openapiOf } from '../../lib/http/openapi.ts';
import { apiContracts, contracts, runtimeContracts, waitContracts } from '../../lib/http/routes/index.ts';
import { unbuiltRoutes } from '../../lib/http/routes/unbuilt.ts';

type Json = Record<string, unknown>;
interface Operation {
  operationId: string;
  parameters: { name: string; in: string; required: boolean }[];
  responses: Record<string, { description: string; content?: Json }>;
  security: Json[];
}

const document = openapiOf(contracts, { version: '1.2.3', serverUrl: 'https://api.example.com' });
const paths = document.paths as Record<string, Record<string, Operation>>;
const schemas = (document.components as { schemas: Record<string, Json> }).schemas;
const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

function refsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(refsIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) =>
    key === '$ref' && typeof member === 'string' ? [member] : refsIn(member),
  );
}

describe('the OpenAPI document', () => {
  test('is OpenAPI 3.1 with title, version and server', () => {
    expect(document).toMatchObject({
      openapi: expect.stringMatching(/^3\.1\./),
      info: { title: 'Rouse', version: '1.2.3' },
      servers: [{ url: 'https://api.example.com' }],
    });
  });

  test('has every contract once', () => {
    expect(operations.map(({ operation }) => operation.operationId).sort()).toEqual(
      contracts.map(({ id }) => id).sort(),
    );
    expect(new Set(contracts.map(({ id }) => id)).size).toBe(contracts.length);
  });

  test('has no reference that leads nowhere', () => {
    const missing = refsIn(document).filter((ref) => !(ref.replace('#/components/schemas/', '') in schemas));
    expect(missing).toEqual([]);
  });

  test('has only schemas that compile', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema({ $id: 'rouse', components: { schemas } });
    for (const name of Object.keys(schemas)) {
      expect(() => ajv.compile({ $ref: `rouse#/components/schemas/${name}` }), name).not.toThrow();
    }
  });

  test('declares every parameter of each path', () => {
    for (const { path, operation } of operations) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      const declared = operation.parameters.filter((parameter) => parameter.in === 'path' && parameter.required);
      expect(
        declared.map(({ name }) => name),
        path,
      ).toEqual(named);
    }
  });

  test('gives every operation an answer and problems that are in the catalog', () => {
    const known = new Set(Object.values(errorCatalog).map(({ status }) => String(status)));
    for (const { path, operation } of operations) {
      const statuses = Object.keys(operation.responses);
      expect(
        statuses.some((status) => status.startsWith('2')),
        path,
      ).toBe(true);
      expect(
        statuses.filter((status) => !status.startsWith('2') && !known.has(status)),
        path,
      ).toEqual([]);
    }
  });

  test('names the security scheme of each operation, or none', () => {
    const schemes = new Map(operations.map(({ operation }) => [operation.operationId, operation.security]));
    expect(schemes.get('createAgent')).toEqual([{ key: [] }]);
    expect(schemes.get('claimTasks')).toEqual([{ runtime: [] }]);
    expect(schemes.get('getHealth')).toEqual([]);
  });

  test('describes what a request may leave out and an answer always has', () => {
    expect(schemas.TaskPolicyInput?.required).toBeUndefined();
    expect(schemas.TaskPolicy?.required).toEqual([
      'timeoutSeconds',
      'maxAttempts',
      'heartbeatSeconds',
      'budget',
      'retry',
    ]);
  });

  test('lets answers gain fields and refuses unknown ones in requests', () => {
    expect(schemas.Agent?.additionalProperties).toBeUndefined();
    expect(schemas.CreateAgent?.additionalProperties).toBe(false);
  });

  test('tells both statuses of a PUT of a template', () => {
    expect(Object.keys(paths['/v1/templates/{name}']!.put!.responses)).toEqual(expect.arrayContaining(['200', '201']));
  });

  test('offers Idempotency-Key on every POST of a client', () => {
    const without = operations.filter(
      ({ method, path, operation }) =>
        method === 'post' &&
        !path.startsWith('/v1/runtime/') &&
        !operation.parameters.some(({ name }) => name === 'Idempotency-Key'),
    );
    expect(without).toEqual([]);
  });

  test('is JSON as it is', () => {
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
  });
});

describe('the contracts', () => {
  test('are divided among the three functions', () => {
    const served = [...apiContracts, ...waitContracts, ...runtimeContracts].map(({ id }) => id).sort();
    expect(served).toEqual(contracts.map(({ id }) => id).sort());
  });

  test('that wait are those that the front door sends to the wait function', () => {
    expect(waitContracts.map(({ method, path }) => `${method} ${path}`).sort()).toEqual([
      'GET /v1/agents/{id}/logs',
      'GET /v1/events',
      'GET /v1/runs/{id}',
      'GET /v1/tasks/{id}',
    ]);
  });

  test('that the runtime function serves all begin with its prefix', () => {
    expect(runtimeContracts.every(({ path }) => path.startsWith('/v1/runtime/'))).toBe(true);
    expect(apiContracts.some(({ path }) => path.startsWith('/v1/runtime/'))).toBe(false);
  });

  test('are not also listed as unbuilt', () => {
    const built = new Set(contracts.map(({ method, path }) => `${method} ${path}`));
    expect(unbuiltRoutes.filter(({ method, path }) => built.has(`${method} ${path}`))).toEqual([]);
  });

  test('of writes need more than a viewer', () => {
    const open = contracts.filter(({ auth, method, role }) => auth === 'key' && method !== 'GET' && role === 'viewer');
    expect(open).toEqual([]);
  });
});
