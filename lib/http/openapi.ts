import * as z from 'zod';
import { type ErrorCode, errorCatalog } from '../domain/errors.ts';
import type { Contract } from './route.ts';
import { problem } from './schemas/problem.ts';

type Json = Record<string, unknown>;

export interface OpenapiInfo {
  version: string;
  /** Origin of the API, without a path. */
  serverUrl?: string;
}

/** Describes contracts in OpenAPI 3.1, from the same schemas that validate. */
export function openapiOf(contracts: readonly Contract[], info: OpenapiInfo): Json {
  const components = new Components();
  components.answer(problem);
  const operations = contracts.map((contract) => operationOf(contract, components));
  const { schemas, place } = components.resolved();

  const paths: Record<string, Json> = {};
  for (const [index, contract] of contracts.entries()) {
    paths[contract.path] = { ...paths[contract.path], [contract.method.toLowerCase()]: place(operations[index]) };
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Rouse',
      version: info.version,
      description: 'Runs fleets of AI agents on serverless AWS.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    ...(info.serverUrl !== undefined && { servers: [{ url: info.serverUrl }] }),
    tags: [...new Set(contracts.map((contract) => contract.tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas,
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'An API key, rouse_…' },
        runtime: { type: 'http', scheme: 'bearer', description: "A runtime's token, from enrolment" },
      },
    },
  };
}

function operationOf(contract: Contract, components: Components): Json {
  const statuses = [contract.status, ...(contract.otherStatus === undefined ? [] : [contract.otherStatus])];
  const answers = statuses.map((status) => [String(status), answerOf(contract, status, components)] as const);
  return {
    operationId: contract.id,
    tags: [contract.tag],
    summary: contract.summary,
    ...(contract.description !== '' && { description: contract.description }),
    security: contract.auth === 'none' ? [] : [{ [contract.auth]: [] }],
    parameters: parametersOf(contract, components),
    ...(hasBody(contract) && { requestBody: bodyOf(contract, components) }),
    responses: { ...Object.fromEntries(answers), ...problemsOf(contract) },
  };
}

function answerOf(contract: Contract, status: number, components: Components): Json {
  const description = contract.summary;
  if (status === 204) return { description };
  const headers = contract.idempotent && {
    'Idempotency-Replayed': { description: 'true if this is the first answer again', schema: { const: 'true' } },
  };
  const content = { 'application/json': { schema: components.answer(contract.answer) } };
  return { description, ...(headers && { headers }), content };
}

function hasBody(contract: Contract): boolean {
  return contract.body instanceof z.ZodObject && Object.keys(contract.body.shape).length > 0;
}

function bodyOf(contract: Contract, components: Components): Json {
  const required = !contract.body.safeParse({}).success;
  return { required, content: { 'application/json': { schema: components.request(contract.body) } } };
}

function parametersOf(contract: Contract, components: Components): Json[] {
  const parameters = [
    ...parametersIn('path', contract.params, components),
    ...parametersIn('query', contract.query, components),
  ];
  if (!contract.idempotent) return parameters;
  const schema = { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' };
  const description = 'The same key and body within 24 hours give the first answer again.';
  return [...parameters, { name: 'Idempotency-Key', in: 'header', required: false, description, schema }];
}

function parametersIn(place: 'path' | 'query', source: z.ZodType, components: Components): Json[] {
  const object = components.request(source) as { properties?: Record<string, Json>; required?: string[] };
  return Object.entries(object.properties ?? {}).map(([name, { description, ...schema }]) => ({
    name,
    in: place,
    required: place === 'path' || (object.required?.includes(name) ?? false),
    ...(description !== undefined && { description }),
    schema,
  }));
}

/** Errors that a contract need not name: they follow from what it takes. */
function errorsOf(contract: Contract): ErrorCode[] {
  const codes: ErrorCode[] = [...contract.errors, 'invalid', 'throttled', 'internal', 'unavailable'];
  if (contract.auth !== 'none') codes.push('unauthorized');
  if (contract.auth === 'key' && contract.role !== 'viewer') codes.push('forbidden');
  if (contract.method !== 'GET') codes.push('malformed_json', 'too_large', 'unsupported_media_type');
  if (hasBody(contract)) codes.push('not_supported');
  if (contract.idempotent) codes.push('bad_request', 'idempotency_conflict', 'idempotency_in_progress');
  return [...new Set(codes)];
}

function problemsOf(contract: Contract): Json {
  const byStatus = Map.groupBy(errorsOf(contract), (code) => errorCatalog[code].status);
  const retryAfter = { 'Retry-After': { description: 'Seconds to wait', schema: { type: 'integer', minimum: 1 } } };
  const entries = [...byStatus].map(([status, codes]) => {
    const description = codes.map((code) => `\`${code}\`: ${errorCatalog[code].title}.`).join(' ');
    const content = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
    return [
      String(status),
      { description, ...((status === 429 || status === 503) && { headers: retryAfter }), content },
    ];
  });
  return Object.fromEntries(entries);
}

const localPrefix = '#/$defs/';
const requestPrefix = '#/requests/';
const answerPrefix = '#/answers/';
const finalPrefix = '#/components/schemas/';

/**
 * Collects named schemas. One that is filled in with defaults looks different in requests (optional) and answers
 * (always there): then the one of requests is called `…Input`.
 */
class Components {
  readonly #requests = new Map<string, unknown>();
  readonly #answers = new Map<string, unknown>();

  request(schema: z.ZodType): Json {
    return this.#collect(schema, 'input', requestPrefix, this.#requests);
  }

  answer(schema: z.ZodType): Json {
    return this.#collect(schema, 'output', answerPrefix, this.#answers);
  }

  #collect(schema: z.ZodType, io: 'input' | 'output', prefix: string, into: Map<string, unknown>): Json {
    const converted = z.toJSONSchema(schema, {
      io,
      unrepresentable: 'any',
      override: ({ zodSchema, jsonSchema }) => {
        // answers may gain fields: a client that validates must not refuse them
        if (zodSchema instanceof z.ZodObject && zodSchema.def.catchall === undefined)
          delete jsonSchema.additionalProperties;
        // every integer of JavaScript has these bounds: they say nothing
        if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
        if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
        delete jsonSchema.id;
      },
    });
    const { $schema: _dialect, $defs = {}, ...root } = converted;
    for (const [name, definition] of Object.entries($defs)) into.set(name, withRefs(definition, localPrefix, prefix));
    return withRefs(root, localPrefix, prefix) as Json;
  }

  /** All schemas under their final names, and a function that makes references point to them. */
  resolved(): { schemas: Json; place: (value: unknown) => unknown } {
    const split = this.#splitNames();
    const finalName = (name: string) => (split.has(name) ? `${name}Input` : name);
    const place = (value: unknown) =>
      withRefs(withRefs(value, answerPrefix, finalPrefix), requestPrefix, finalPrefix, finalName);
    const schemas: Json = {};
    for (const [name, schema] of this.#answers) schemas[name] = place(schema);
    for (const [name, schema] of this.#requests) schemas[finalName(name)] = place(schema);
    return { schemas, place };
  }

  /** Names whose two forms differ, in themselves or in what they refer to. */
  #splitNames(): Set<string> {
    const split = new Set<string>();
    const plain = (value: unknown) => JSON.stringify(value).replaceAll(answerPrefix, requestPrefix);
    const differs = (name: string, schema: unknown) =>
      plain(schema) !== plain(this.#answers.get(name)) ||
      [...split].some((other) => plain(schema).includes(`"${requestPrefix}${other}"`));
    for (let before = -1; before !== split.size; ) {
      before = split.size;
      for (const [name, schema] of this.#requests) {
        if (this.#answers.has(name) && differs(name, schema)) split.add(name);
      }
    }
    return split;
  }
}

/** A copy in which every `$ref` that begins with `prefix` begins with `to`, and its name may change. */
function withRefs(value: unknown, prefix: string, to: string, rename = (name: string) => name): unknown {
  if (Array.isArray(value)) return value.map((item) => withRefs(item, prefix, to, rename));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, member]) => {
    if (key !== '$ref' || typeof member !== 'string') return [key, withRefs(member, prefix, to, rename)];
    return [key, member.startsWith(prefix) ? to + rename(member.slice(prefix.length)) : member];
  });
  return Object.fromEntries(entries);
}
