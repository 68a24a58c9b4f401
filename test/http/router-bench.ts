import * as z from 'zod';
import { RouseError, unauthorized } from '../../lib/domain/errors.ts';
import type { Principal } from '../../lib/http/principal.ts';
import type { HttpEvent, HttpResult } from '../../lib/http/request.ts';
import { bind, contract, type Route } from '../../lib/http/route.ts';
import { type Idempotency, makeRouter, type RouterOptions } from '../../lib/http/router.ts';
import { pathId } from '../../lib/http/schemas/id.ts';

/** A router with everything around it in memory, and a way to ask it. */

export const agentId = 'agt_01JQZ8X4T2V6W8Y0A1B2C3D4E5';
export const nowMs = Date.parse('2027-01-31T09:30:00.000Z');

const principals: Record<string, Principal> = {
  admin: { kind: 'key', id: 'key_admin', tenant: 'default', role: 'admin' },
  member: { kind: 'key', id: 'key_member', tenant: 'default', role: 'member' },
  viewer: { kind: 'key', id: 'key_viewer', tenant: 'default', role: 'viewer' },
  runtime: { kind: 'runtime', id: 'rt_1', tenant: 'default', agentId },
};

export interface Asked {
  body?: unknown;
  rawBody?: string;
  headers?: Record<string, string>;
  /** Name of a principal, or a token that nobody has; null sends no header. */
  as?: string | null;
  query?: string;
  isBase64Encoded?: boolean;
}

export function eventOf(method: string, path: string, asked: Asked = {}): HttpEvent {
  const { body, rawBody = body === undefined ? undefined : JSON.stringify(body), as = 'admin' } = asked;
  return {
    rawPath: path,
    rawQueryString: asked.query ?? '',
    headers: {
      ...(rawBody !== undefined && { 'content-type': 'application/json' }),
      ...(as !== null && { authorization: `Bearer ${as}` }),
      ...asked.headers,
    },
    requestContext: { requestId: 'req-1', http: { method } },
    ...(rawBody !== undefined && { body: rawBody }),
    isBase64Encoded: asked.isBase64Encoded ?? false,
  };
}

export interface Answered {
  status: number;
  headers: Record<string, string>;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever came
  json: any;
  text: string;
}

export function answered(result: HttpResult): Answered {
  const json = result.body === '' ? undefined : JSON.parse(result.body);
  return { status: result.statusCode, headers: result.headers, json, text: result.body };
}

/** Remembers answers like the real one does, without time. */
export class MemoryIdempotency implements Idempotency {
  readonly #rows = new Map<string, { bodyHash: string; seed: string; answer?: { status: number; body: unknown } }>();
  #seeds = 0;

  run: Idempotency['run'] = async ({ key, route, bodyHash, principal }, perform) => {
    const name = `${principal.id} ${route} ${key}`;
    const row = this.#rows.get(name) ?? { bodyHash, seed: `kept-${++this.#seeds}` };
    this.#rows.set(name, row);
    if (row.bodyHash !== bodyHash) throw new RouseError('idempotency_conflict', 'The key was used with another body.');
    if (row.answer) return { ...row.answer, replayed: true };
    row.answer = await perform(row.seed);
    return { ...row.answer, replayed: false };
  };
}

export function benchOf(routes: Route[], changes: Partial<RouterOptions> = {}) {
  const logged: Record<string, unknown>[] = [];
  const router = makeRouter(routes, {
    authenticate: async ({ token }) => {
      const principal = principals[token];
      if (!principal) throw unauthorized('The key is not known.');
      return principal;
    },
    idempotency: new MemoryIdempotency(),
    now: () => nowMs,
    newSeed: () => 'fresh',
    log: { error: (message, fields) => logged.push({ message, ...fields }) },
    checkAnswers: true,
    ...changes,
  });
  const ask = async (method: string, path: string, asked?: Asked) =>
    answered(await router(eventOf(method, path, asked)));
  return { ask, router, logged };
}

const box = z.object({ id: z.string(), size: z.number(), seed: z.string() });
const params = z.object({ id: pathId('agent') });

export const getBox = contract({
  id: 'getBox',
  method: 'GET',
  path: '/v1/boxes/{id}',
  tag: 'Boxes',
  summary: 'Read a box',
  auth: 'key',
  params,
  query: z.strictObject({ colour: z.enum(['red', 'blue']).optional() }),
  answer: box,
  status: 200,
});

export const postBox = contract({
  id: 'postBox',
  method: 'POST',
  path: '/v1/boxes',
  tag: 'Boxes',
  summary: 'Make a box',
  auth: 'key',
  role: 'member',
  body: z.strictObject({ size: z.number(), note: z.string().optional() }),
  answer: box,
  status: 201,
});

export const boxRoutes: Route[] = [
  bind(getBox, async ({ params, context }) => ({ id: params.id, size: 1, seed: context.seed })),
  bind(postBox, async ({ body, context }) => ({ id: 'new', size: body.size, seed: context.seed })),
];
