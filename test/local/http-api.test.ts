import { beforeEach, describe, expect, it } from 'vitest';
import { HttpApiService } from '../../local/services/http-api/service.ts';
import { InProcessRunner } from '../../local/services/lambda/in-process-runner.ts';
import { LambdaService } from '../../local/services/lambda/service.ts';
import { makeEnvironment } from '../support/embedded.ts';

type Handler = (event: Record<string, unknown>) => unknown;

async function setUp(routes: Record<string, Handler>) {
  const environment = makeEnvironment();
  const handlers = new Map<string, Handler>();
  const lambda = new LambdaService(
    environment,
    (fn) =>
      new InProcessRunner(fn, (event) => handlers.get(fn.name)!(event as Record<string, unknown>), environment.clock),
  );
  const api = new HttpApiService(environment, lambda);
  api.define('api');
  for (const [index, [key, handler]] of Object.entries(routes).entries()) {
    const name = `fn-${index}`;
    handlers.set(name, handler);
    const arn = `arn:aws:lambda:us-east-1:000000000000:function:${name}`;
    const rest = {
      roleArn: '',
      codeFolder: '',
      handler: '',
      environment: {},
      timeoutSeconds: 60,
      memoryMiB: 128,
      logGroup: '',
    };
    await lambda.define({ logicalId: name, name, arn, ...rest });
    api.defineIntegration('api', name, { functionArn: arn, timeoutMs: 30_000 });
    api.defineRoute('api', name, key, name);
  }
  const request = async (
    method: string,
    path: string,
    more: { headers?: Record<string, string>; body?: unknown } = {},
  ) => {
    const answer = await api.request('api', { method, path, ...more });
    return { ...answer, body: Buffer.from(answer.body).toString() };
  };
  return { environment, api, lambda, request };
}

describe('routes', () => {
  let request: Awaited<ReturnType<typeof setUp>>['request'];
  beforeEach(async () => {
    const named =
      (name: string): Handler =>
      (event) => ({ name, parameters: event.pathParameters });
    ({ request } = await setUp({
      $default: named('default'),
      'GET /v1/tasks/{id}': named('task'),
      'GET /v1/tasks/latest': named('latest'),
      'ANY /v1/runtime/{proxy+}': named('runtime'),
      'POST /v1/runtime/enroll': named('enroll'),
    }));
  });

  it.each([
    ['GET', '/v1/tasks/tsk_1', { name: 'task', parameters: { id: 'tsk_1' } }],
    ['GET', '/v1/tasks/latest', { name: 'latest' }],
    ['POST', '/v1/tasks/tsk_1', { name: 'default' }],
    ['GET', '/v1/tasks/tsk_1/more', { name: 'default' }],
    ['GET', '/v1/tasks/', { name: 'default' }],
    ['POST', '/v1/runtime/tasks/x/complete', { name: 'runtime', parameters: { proxy: 'tasks/x/complete' } }],
    ['POST', '/v1/runtime/enroll', { name: 'enroll' }],
    ['GET', '/v1/runtime/enroll', { name: 'runtime', parameters: { proxy: 'enroll' } }],
    ['GET', '/', { name: 'default' }],
  ])('%s %s', async (method, path, expected) => {
    expect(JSON.parse((await request(method, path)).body)).toEqual(expected);
  });
});

it('answers 404 when there is no route and no default', async () => {
  const { request } = await setUp({ 'GET /a': () => 'a' });
  expect(await request('GET', '/b')).toMatchObject({ status: 404, body: '{"message":"Not Found"}' });
});

it('hands the request over in payload format 2.0', async () => {
  const { request } = await setUp({ $default: (event) => event });
  const { body } = await request('POST', '/a%20b?x=1&x=2&y=', {
    headers: { 'X-Own': 'Yes', Cookie: 'a=1; b=2', 'Content-Type': 'application/json' },
    body: { some: 'thing' },
  });
  const event = JSON.parse(body);
  expect(event).toMatchObject({
    version: '2.0',
    routeKey: '$default',
    rawPath: '/a%20b',
    rawQueryString: 'x=1&x=2&y=',
    queryStringParameters: { x: '1,2', y: '' },
    cookies: ['a=1', 'b=2'],
    headers: { 'x-own': 'Yes', 'content-type': 'application/json' },
    requestContext: { apiId: 'api', stage: '$default', http: { method: 'POST', path: '/a%20b' } },
    body: '{"some":"thing"}',
    isBase64Encoded: false,
  });
  expect(event.headers.cookie).toBeUndefined();
});

it('hands a binary body over in base64', async () => {
  const { request } = await setUp({ $default: (event) => ({ body: event.body, encoded: event.isBase64Encoded }) });
  const { body } = await request('PUT', '/', { headers: { 'content-type': 'application/octet-stream' }, body: 'ab' });
  expect(JSON.parse(body)).toEqual({ body: 'YWI=', encoded: true });
});

describe('answers', () => {
  it('take status, headers, cookies and a base64 body from the function', async () => {
    const { request } = await setUp({
      $default: () => ({
        statusCode: 201,
        headers: { 'X-Own': 1 },
        cookies: ['a=1', 'b=2'],
        body: 'YWI=',
        isBase64Encoded: true,
      }),
    });
    expect(await request('GET', '/')).toMatchObject({
      status: 201,
      headers: { 'x-own': '1', 'set-cookie': ['a=1', 'b=2'] },
      body: 'ab',
    });
  });

  it('are JSON with 200 when the function gives anything else', async () => {
    const { request } = await setUp({ $default: () => ({ hello: 'you' }) });
    expect(await request('GET', '/')).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: '{"hello":"you"}',
    });
  });

  it('are 500 when the function fails or answers nonsense', async () => {
    const { request } = await setUp({
      'GET /throws': () => {
        throw new Error('secret');
      },
      'GET /nonsense': () => ({ statusCode: 'abc' }),
    });
    for (const path of ['/throws', '/nonsense'])
      expect(await request('GET', path)).toMatchObject({ status: 500, body: '{"message":"Internal Server Error"}' });
  });

  it('are 503 after 30 seconds', async () => {
    const world = await setUp({ $default: () => world.lambda.sleep(40_000) });
    const answer = world.request('GET', '/');
    await world.environment.activity.settled();
    world.environment.clock.step(world.environment.clock.now() + 30_000);
    expect(await answer).toMatchObject({ status: 503, body: '{"message":"Service Unavailable"}' });
  });

  it('are 413 for a body over 10 MB', async () => {
    const { request } = await setUp({ $default: () => 'ok' });
    expect((await request('POST', '/', { body: 'x'.repeat(10 * 1024 * 1024 + 1) })).status).toBe(413);
  });
});

it('is served on a bare origin', async () => {
  const { api } = await setUp({
    $default: (event) => ({ statusCode: 200, cookies: ['a=1', 'b=2'], body: event.rawPath }),
  });
  const server = await api.listen(() => 'api', 0);
  try {
    const answer = await fetch(`http://127.0.0.1:${server.port}/v1/health`);
    expect(await answer.text()).toBe('/v1/health');
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  } finally {
    await server.close();
  }
});
