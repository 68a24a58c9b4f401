import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { notFound, RouseError, throttled, unavailable } from '../../lib/domain/errors.ts';
import { bind, contract, defineRoute, reply } from '../../lib/http/route.ts';
import { agentId, benchOf, boxRoutes, getBox, postBox } from './router-bench.ts';

const boxes = () => benchOf(boxRoutes);

const failing = (error: unknown, options: Parameters<typeof benchOf>[1] = {}) =>
  benchOf(
    [
      bind(getBox, async () => {
        throw error;
      }),
    ],
    options,
  );

describe('finding the route', () => {
  test('a handler gets the parameters of the path', async () => {
    const { status, json } = await boxes().ask('GET', `/v1/boxes/${agentId}`);
    expect(status).toBe(200);
    expect(json.id).toBe(agentId);
  });

  test('parameters of the path are decoded', async () => {
    const { json } = await boxes().ask('GET', `/v1/boxes/${agentId.replace('_', '%5F')}`);
    expect(json.id).toBe(agentId);
  });

  test('an unknown path is a 404 that says where to look', async () => {
    const { status, json } = await boxes().ask('GET', '/v1/bxes');
    expect(status).toBe(404);
    expect(json.detail).toContain('/v1/openapi.json');
  });

  test.each(['nonsense', 'agt_1', '%', `${agentId}x`, 'tsk_01JQZ8X4T2V6W8Y0A1B2C3D4E5'])(
    'the id "%s", which cannot exist, is a 404 like one that does not',
    async (id) => {
      const { status, json } = await boxes().ask('GET', `/v1/boxes/${id}`);
      expect(status).toBe(404);
      expect(json).toMatchObject({ code: 'not_found', detail: notFound('agent', id).detail });
    },
  );

  test('an empty parameter is an unknown path', async () => {
    expect((await boxes().ask('GET', '/v1/boxes/')).status).toBe(404);
  });

  test('another method is a 405 that tells the allowed ones', async () => {
    const { status, headers, json } = await boxes().ask('PUT', '/v1/boxes');
    expect(status).toBe(405);
    expect(headers.allow).toBe('POST, OPTIONS');
    expect(json.code).toBe('method_not_allowed');
  });

  test('methods that another function serves are allowed too', async () => {
    const { ask } = benchOf([boxRoutes[1]!], { contracts: [getBox, postBox] });
    const { status, headers } = await ask('DELETE', `/v1/boxes/${agentId}`);
    expect(status).toBe(405);
    expect(headers.allow).toBe('GET, HEAD, OPTIONS');
  });

  test('OPTIONS tells the methods without a key', async () => {
    const { status, headers } = await boxes().ask('OPTIONS', '/v1/boxes', { as: null });
    expect(status).toBe(204);
    expect(headers.allow).toBe('POST, OPTIONS');
  });

  test('HEAD answers like GET without a body', async () => {
    const { status, text, headers } = await boxes().ask('HEAD', `/v1/boxes/${agentId}`);
    expect({ status, text }).toEqual({ status: 200, text: '' });
    expect(headers['content-type']).toBe('application/json');
  });

  test('a documented route that is not built is 422 not_supported', async () => {
    const { ask } = benchOf(boxRoutes, { unbuilt: [{ method: 'POST', path: '/v1/boxes/{id}/fold' }] });
    const { status, json } = await ask('POST', `/v1/boxes/${agentId}/fold`);
    expect({ status, code: json.code }).toEqual({ status: 422, code: 'not_supported' });
  });

  test('two routes of the same shape are refused when the router is made', () => {
    expect(() => benchOf([...boxRoutes, boxRoutes[0]!])).toThrow('Two routes for GET /v1/boxes/{id}');
  });
});

describe('a contract', () => {
  test('whose path has a parameter that it does not describe is refused when it is made', () => {
    const { params: _params, ...rest } = getBox;
    expect(() => contract(rest)).toThrow('getBox: the path /v1/boxes/{id} has the parameters id, described are none');
  });
});

describe('who may call', () => {
  test('without a key it is a 401 that says how to send one', async () => {
    const { status, headers, json } = await boxes().ask('GET', `/v1/boxes/${agentId}`, { as: null });
    expect({ status, code: json.code }).toEqual({ status: 401, code: 'unauthorized' });
    expect(headers['www-authenticate']).toBe('Bearer');
    expect(json.detail).toContain('Authorization: Bearer');
  });

  test('a key that nobody has is a 401', async () => {
    expect((await boxes().ask('GET', `/v1/boxes/${agentId}`, { as: 'stranger' })).status).toBe(401);
  });

  test('another scheme than Bearer is a 401', async () => {
    const { status } = await boxes().ask('GET', `/v1/boxes/${agentId}`, { headers: { authorization: 'Basic YTpi' } });
    expect(status).toBe(401);
  });

  test('a token of a runtime does not open a route for keys', async () => {
    expect((await boxes().ask('GET', `/v1/boxes/${agentId}`, { as: 'runtime' })).status).toBe(401);
  });

  test('a viewer may read', async () => {
    expect((await boxes().ask('GET', `/v1/boxes/${agentId}`, { as: 'viewer' })).status).toBe(200);
  });

  test('a viewer may not write, and hears which role is needed', async () => {
    const { status, json } = await boxes().ask('POST', '/v1/boxes', { as: 'viewer', body: { size: 1 } });
    expect(status).toBe(403);
    expect(json.detail).toContain('member is needed');
  });

  test('a bad body of a stranger is a 401, so that strangers learn nothing', async () => {
    expect((await boxes().ask('POST', '/v1/boxes', { as: 'stranger', rawBody: '{' })).status).toBe(401);
  });
});

describe('bodies', () => {
  test('malformed JSON is a 400 that names the position', async () => {
    const { status, json } = await boxes().ask('POST', '/v1/boxes', { rawBody: '{"size": 1,}' });
    expect({ status, code: json.code }).toEqual({ status: 400, code: 'malformed_json' });
    expect(json.detail).toContain('position 11');
  });

  test('a body that was cut short says after how many characters', async () => {
    const { json } = await boxes().ask('POST', '/v1/boxes', { rawBody: '{"size":' });
    expect(json.detail).toBe('The body is not valid JSON: it ends too early, after 8 characters.');
  });

  test('bytes that are not UTF-8 are malformed', async () => {
    const rawBody = Buffer.from([0x22, 0xff, 0x22]).toString('base64');
    const { json } = await boxes().ask('POST', '/v1/boxes', { rawBody, isBase64Encoded: true });
    expect(json.code).toBe('malformed_json');
  });

  test('a base64 body is decoded', async () => {
    const rawBody = Buffer.from('{"size": 7}').toString('base64');
    const { status, json } = await boxes().ask('POST', '/v1/boxes', { rawBody, isBase64Encoded: true });
    expect([status, json.size]).toEqual([201, 7]);
  });

  test('another content type is a 415 that names both', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const { status, json } = await boxes().ask('POST', '/v1/boxes', { rawBody: 'size=1', headers });
    expect(status).toBe(415);
    expect(json.detail).toContain('application/x-www-form-urlencoded');
    expect(json.detail).toContain('application/json');
  });

  test('a charset in the content type is fine', async () => {
    const headers = { 'content-type': 'Application/JSON; charset=utf-8' };
    expect((await boxes().ask('POST', '/v1/boxes', { body: { size: 1 }, headers })).status).toBe(201);
  });

  test('a body over 1 MiB is a 413 with both numbers', async () => {
    const { status, json } = await boxes().ask('POST', '/v1/boxes', {
      body: { size: 1, note: 'x'.repeat(1024 * 1024) },
    });
    expect(status).toBe(413);
    expect(json.detail).toContain('1048576');
  });

  test('bytes count for the limit, not characters', async () => {
    const body = { size: 1, note: 'é'.repeat(600_000) };
    expect((await boxes().ask('POST', '/v1/boxes', { body })).status).toBe(413);
  });

  test('a body that is nested too deeply is refused, not overflowed', async () => {
    const { status, json } = await boxes().ask('POST', '/v1/boxes', {
      rawBody: '['.repeat(400_000) + ']'.repeat(400_000),
    });
    expect({ status, code: json.code }).toEqual({ status: 422, code: 'invalid' });
  });

  test('a missing body counts as an empty object, so its required fields are named', async () => {
    const { status, json } = await boxes().ask('POST', '/v1/boxes');
    expect(status).toBe(422);
    expect(json.issues).toEqual([{ path: 'size', message: 'This field is required (a number).' }]);
  });

  test('a misspelt field is told before the one that is missing for it', async () => {
    const { json } = await boxes().ask('POST', '/v1/boxes', { body: { sise: 1 } });
    expect(json.detail).toBe('sise: Unknown field; did you mean "size"? (and 1 more)');
  });

  test('an unknown field is refused by name, with the known one that is near', async () => {
    const { status, json } = await boxes().ask('POST', '/v1/boxes', { body: { size: 1, ntoe: 'x', __proto: 1 } });
    expect({ status, code: json.code }).toEqual({ status: 422, code: 'invalid' });
    expect(json.issues).toEqual([
      { path: 'ntoe', message: 'Unknown field; did you mean "note"?' },
      { path: '__proto', message: 'Unknown field; known are size, note.' },
    ]);
  });

  test('a field named __proto__ is unknown like any other', async () => {
    const { status, json } = await boxes().ask('POST', '/v1/boxes', {
      rawBody: '{"size": 1, "__proto__": {"admin": true}}',
    });
    expect(status).toBe(422);
    expect(json.issues[0].path).toBe('__proto__');
  });
});

describe('queries', () => {
  test('an unknown parameter is refused by name', async () => {
    const { status, json } = await boxes().ask('GET', `/v1/boxes/${agentId}`, { query: 'color=red' });
    expect(status).toBe(422);
    expect(json.issues).toEqual([{ path: 'color', message: 'Unknown field; did you mean "colour"?' }]);
  });

  test('a parameter with a wrong value says what is allowed', async () => {
    const { json } = await boxes().ask('GET', `/v1/boxes/${agentId}`, { query: 'colour=green' });
    expect(json.issues).toEqual([{ path: 'colour', message: 'Received "green"; allowed: red, blue.' }]);
  });

  test('a parameter that may be given once is refused twice', async () => {
    const { status } = await boxes().ask('GET', `/v1/boxes/${agentId}`, { query: 'colour=red&colour=blue' });
    expect(status).toBe(422);
  });
});

describe('answers', () => {
  test('carry the request id and forbid caching', async () => {
    const { headers } = await boxes().ask('GET', `/v1/boxes/${agentId}`);
    expect(headers).toMatchObject({ 'x-request-id': 'req-1', 'cache-control': 'no-store' });
  });

  test('have the status of the contract', async () => {
    expect((await boxes().ask('POST', '/v1/boxes', { body: { size: 1 } })).status).toBe(201);
  });

  test('have the status and headers that the handler chose', async () => {
    const routes = [
      bind(postBox, async () => reply(200, { id: 'old', size: 1, seed: '' }, { location: '/v1/boxes/old' })),
    ];
    const { status, headers } = await benchOf(routes).ask('POST', '/v1/boxes', { body: { size: 1 } });
    expect([status, headers.location]).toEqual([200, '/v1/boxes/old']);
  });

  test('of status 204 have no body and no content type', async () => {
    const route = defineRoute({
      id: 'deleteBox',
      method: 'DELETE',
      path: '/v1/boxes/{id}',
      tag: 'Boxes',
      summary: 'Delete a box',
      auth: 'key',
      params: z.object({ id: z.string() }),
      answer: z.undefined(),
      status: 204,
      handler: async () => undefined,
    });
    const { status, text, headers } = await benchOf([route]).ask('DELETE', '/v1/boxes/1');
    expect([status, text, headers['content-type']]).toEqual([204, '', undefined]);
  });

  test('that break their contract are internal errors when answers are checked', async () => {
    const wrong = { id: 'x', size: 'big', seed: '' } as unknown as { id: string; size: number; seed: string };
    const { ask, logged } = benchOf([bind(getBox, async () => wrong)]);
    expect((await ask('GET', `/v1/boxes/${agentId}`)).status).toBe(500);
    expect(logged[0]!.causeMessage).toContain('getBox');
  });

  test('a route without authentication has no principal', async () => {
    const open = contract({
      id: 'open',
      method: 'GET',
      path: '/v1/open',
      tag: 'Boxes',
      summary: 'Open',
      auth: 'none',
      answer: z.object({ principal: z.null(), now: z.number() }),
      status: 200,
    });
    const routes = [bind(open, async ({ context }) => ({ principal: context.principal, now: context.nowMs }))];
    const { json } = await benchOf(routes).ask('GET', '/v1/open', { as: null });
    expect(json.principal).toBeNull();
  });
});

describe('problems', () => {
  test('what passes by itself is asked for again, and says nothing of the inside', async () => {
    const busy = new Error('Table rouse-state is throttled');
    const { ask, logged } = failing(busy, { isTemporary: (error) => error === busy });
    const { status, headers, json } = await ask('GET', `/v1/boxes/${agentId}`);
    expect([status, headers['retry-after'], json.code]).toEqual([503, '1', 'unavailable']);
    expect(json.detail).not.toContain('rouse-state');
    expect(logged[0]).toMatchObject({ causeMessage: busy.message });
  });

  test('a RouseError becomes a problem document with its code and members', async () => {
    const error = new RouseError('tasks_running', 'Two tasks are running.', { extra: { running: 2, status: 'no' } });
    const { status, headers, json } = await failing(error).ask('GET', `/v1/boxes/${agentId}`);
    expect(headers['content-type']).toBe('application/problem+json');
    expect(status).toBe(409);
    expect(json).toEqual({
      type: 'urn:rouse:problem:tasks_running',
      title: 'Tasks are running',
      status: 409,
      code: 'tasks_running',
      detail: 'Two tasks are running.',
      requestId: 'req-1',
      running: 2,
    });
  });

  test('an unexpected error says only the request id', async () => {
    const { status, text } = await failing(new Error('password=hunter2')).ask('GET', `/v1/boxes/${agentId}`);
    expect(status).toBe(500);
    expect(text).toContain('req-1');
    expect(text).not.toContain('hunter2');
  });

  test('an unexpected error is logged once with its cause', async () => {
    const { ask, logged } = failing(new TypeError('boom'));
    await ask('GET', `/v1/boxes/${agentId}`);
    expect(logged).toHaveLength(1);
    expect(logged[0]).toMatchObject({ requestId: 'req-1', cause: 'TypeError', causeMessage: 'boom' });
  });

  test('something thrown that is no error is a 500 too', async () => {
    expect((await failing('a string').ask('GET', `/v1/boxes/${agentId}`)).status).toBe(500);
  });

  test.each([throttled('Slow down.', 2.4), unavailable('Try later.', 3)])(
    '$code tells when to try again',
    async (error) => {
      const { status, headers } = await failing(error).ask('GET', `/v1/boxes/${agentId}`);
      expect([status, headers['retry-after']]).toEqual([error.status, '3']);
    },
  );

  test('a 4xx is not logged', async () => {
    const { ask, logged } = failing(notFound('agent', agentId));
    await ask('GET', `/v1/boxes/${agentId}`);
    expect(logged).toEqual([]);
  });

  test('a client that wants server-sent events hears that there are none yet', async () => {
    const headers = { accept: 'text/event-stream' };
    const { status, json } = await boxes().ask('GET', `/v1/boxes/${agentId}`, { headers });
    expect([status, json.code]).toEqual([422, 'not_supported']);
  });
});

describe('Idempotency-Key', () => {
  const headers = { 'idempotency-key': 'order-1' };

  test('the same key and body gives the first answer again, marked', async () => {
    const { ask } = boxes();
    const first = await ask('POST', '/v1/boxes', { body: { size: 1, note: 'a' }, headers });
    const second = await ask('POST', '/v1/boxes', { body: { note: 'a', size: 1 }, headers });
    expect(first.headers['idempotency-replayed']).toBeUndefined();
    expect(second.headers['idempotency-replayed']).toBe('true');
    expect([second.status, second.json]).toEqual([first.status, first.json]);
  });

  test('the same key with another body is a conflict', async () => {
    const { ask } = boxes();
    await ask('POST', '/v1/boxes', { body: { size: 1 }, headers });
    const { status, json } = await ask('POST', '/v1/boxes', { body: { size: 2 }, headers });
    expect([status, json.code]).toEqual([409, 'idempotency_conflict']);
  });

  test('a repetition after a crash gets the same seed', async () => {
    const seeds: string[] = [];
    const { ask } = benchOf([
      bind(postBox, async ({ body, context }) => {
        seeds.push(context.seed);
        if (seeds.length === 1) throw new Error('crash');
        return { id: 'new', size: body.size, seed: context.seed };
      }),
    ]);
    expect((await ask('POST', '/v1/boxes', { body: { size: 1 }, headers })).status).toBe(500);
    expect((await ask('POST', '/v1/boxes', { body: { size: 1 }, headers })).status).toBe(201);
    expect(seeds).toEqual(['kept-1', 'kept-1']);
  });

  test('without a key every request has its own seed', async () => {
    expect((await boxes().ask('POST', '/v1/boxes', { body: { size: 1 } })).json.seed).toBe('fresh');
  });

  test.each(['', 'a b', 'ü', 'x'.repeat(256)])('the key "%s" is refused', async (key) => {
    const { status, json } = await boxes().ask('POST', '/v1/boxes', {
      body: { size: 1 },
      headers: { 'idempotency-key': key },
    });
    expect([status, json.code]).toEqual([400, 'bad_request']);
  });
});
