import { expect, test } from 'vitest';
import { bind, type Contract, reply } from '../../lib/http/route.ts';
import { contracts } from '../../lib/http/routes/index.ts';
import { unbuiltRoutes } from '../../lib/http/routes/unbuilt.ts';
import { agentId, benchOf, eventOf } from './router-bench.ts';

/** Throws nonsense at every route. Whatever comes, the caller is told what is wrong: never a 5xx, never a crash. */

const seed = Number(process.env.FUZZ_SEED ?? 20_270_131);
const rounds = 4000;

function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const random = randomOf(seed);
const pick = <T>(items: readonly T[]): T => items[random(items.length)]!;

const words = [
  ...[
    'driver',
    'type',
    'command',
    'input',
    'output',
    'schema',
    'files',
    'template',
    'env',
    'labels',
    'task',
    'retry',
    'name',
  ],
  ...[
    'fence',
    'place',
    'slots',
    'running',
    'lines',
    'usage',
    'identity',
    'headers',
    '$ref',
    '__proto__',
    'constructor',
    '',
  ],
  ...[
    'json',
    'module',
    'default',
    agentId,
    'tsk_01JQZ8X4T2V6W8Y0A1B2C3D4E5',
    '\0',
    '\ud800',
    '💥',
    '../..',
    '%',
    '2027-01-01T00:00:00Z',
  ],
];

function randomBytes(): string {
  return Array.from({ length: random(40) }, () => String.fromCharCode(random(256))).join('');
}

function randomText(): string {
  return random(4) === 0 ? randomBytes() : pick(words);
}

function randomJson(depth: number): unknown {
  const kind = random(depth > 0 ? 9 : 6);
  if (kind === 0) return null;
  if (kind === 1) return random(2) === 0;
  if (kind === 2) return pick([0, 1, -1, 0.5, 1e308, 256, 512, 2 ** 53]);
  if (kind < 6) return randomText();
  if (kind === 6) return Array.from({ length: random(4) }, () => randomJson(depth - 1));
  return Object.fromEntries(Array.from({ length: random(6) }, () => [randomText(), randomJson(depth - 1)]));
}

function randomBody(): string | undefined {
  const kind = random(10);
  if (kind === 0) return undefined;
  if (kind === 1) return randomBytes();
  const text = JSON.stringify(randomJson(4));
  return kind === 2 ? text.slice(0, random(text.length + 1)) : text;
}

function randomPath(pattern: string): string {
  if (random(20) === 0) return `/${randomBytes()}`;
  return pattern.replaceAll(/\{\w+\}/g, () =>
    pick([agentId, 'tsk_01JQZ8X4T2V6W8Y0A1B2C3D4E5', 'reader', randomText()]),
  );
}

function randomQuery(): string {
  const names = [
    'limit',
    'cursor',
    'after',
    'status',
    'label',
    'type',
    'waitSeconds',
    'version',
    '__proto__',
    randomText(),
  ];
  return Array.from({ length: random(4) }, () => `${pick(names)}=${pick(['1', 'x', 'eyJhIjoxfQ', randomText()])}`).join(
    '&',
  );
}

function randomHeaders(): Record<string, string> {
  return {
    ...(random(8) === 0 && { 'content-type': pick(['text/plain', '', 'application/json;x', randomBytes()]) }),
    ...(random(8) === 0 && { 'idempotency-key': pick(['k', '', randomBytes()]) }),
    ...(random(8) === 0 && { authorization: pick(['', 'Bearer', `Bearer ${randomBytes()}`, randomBytes()]) }),
    ...(random(20) === 0 && { accept: randomBytes() }),
  };
}

test(`no request of ${rounds} random ones gets a 5xx (seed ${seed})`, async () => {
  const routes = contracts.map((contract: Contract) => bind(contract, async () => reply(contract.status, null)));
  const { router, logged } = benchOf(routes, { unbuilt: unbuiltRoutes, checkAnswers: false });
  const statuses = new Set<number>();
  for (let round = 0; round < rounds; round++) {
    const contract = pick(contracts);
    const method = random(10) === 0 ? pick(['GET', 'HEAD', 'OPTIONS', 'PUT', 'BREW', '']) : contract.method;
    const rawBody = randomBody();
    const event = eventOf(method, randomPath(contract.path), {
      ...(rawBody !== undefined && { rawBody }),
      as: contract.auth === 'runtime' ? 'runtime' : 'admin',
      headers: randomHeaders(),
      query: random(3) === 0 ? randomQuery() : '',
      isBase64Encoded: random(30) === 0,
    });
    const { statusCode, headers, body } = await router(event);
    statuses.add(statusCode);
    expect(statusCode, `round ${round}: ${JSON.stringify(event)} got ${body} ${JSON.stringify(logged)}`).toBeLessThan(
      500,
    );
    if (statusCode >= 400 && method !== 'HEAD') expect(headers['content-type']).toBe('application/problem+json');
  }
  // the nonsense is good enough to come everywhere
  expect([...statuses].sort()).toEqual(expect.arrayContaining([200, 202, 204, 400, 401, 404, 405, 415, 422]));
});
