import { describe, expect, it } from 'vitest';
import type { ApiKey, Observation, Runtime } from '../../lib/app/ports.ts';
import type { Generation } from '../../lib/app/workspace-ports.ts';
import { ApiKeyStore } from '../../lib/aws/api-key-store.ts';
import { GenerationStore } from '../../lib/aws/generation-store.ts';
import { IdempotencyStore } from '../../lib/aws/idempotency-store.ts';
import { RuntimeStore } from '../../lib/aws/runtime-store.ts';
import { WaiterStore } from '../../lib/aws/waiter-store.ts';
import { RouseError } from '../../lib/domain/errors.ts';
import type { IdempotentAnswer } from '../../lib/http/router.ts';
import { agentId, bytesFrom, nowMs, runtimeId } from '../support/builders.ts';
import { crashAfter, makeTables } from './tables.ts';

const tenant = 'default';

describe('idempotency', () => {
  const principal = { kind: 'key', id: 'key_1', tenant, role: 'admin' } as const;
  const request = { key: 'k', route: 'POST /v1/agents', bodyHash: 'aa', principal, nowMs };
  const answer: IdempotentAnswer = { status: 201, body: { id: 'agt_1', tags: ['a'], none: null } };

  async function setUp() {
    const { state, environment } = await makeTables();
    const store = new IdempotencyStore(state, bytesFrom(1));
    const seeds: string[] = [];
    const run = (differs: Partial<typeof request> = {}) =>
      store.run({ ...request, ...differs }, async (seed) => {
        seeds.push(seed);
        return answer;
      });
    return { store, environment, seeds, run };
  }

  it('performs once and repeats the answer', async () => {
    const { run, seeds } = await setUp();
    expect(await run()).toEqual({ ...answer, replayed: false });
    expect(await run()).toEqual({ ...answer, replayed: true });
    expect(seeds).toHaveLength(1);
  });

  it('gives the second try the seed of the first, which failed', async () => {
    const { store, run, seeds } = await setUp();
    const failing = async (seed: string) => {
      seeds.push(seed);
      throw new Error('cut off');
    };
    await expect(store.run(request, failing)).rejects.toThrow('cut off');
    expect(await run({ nowMs: nowMs + 5000 })).toEqual({ ...answer, replayed: false });
    expect(seeds[1]).toBe(seeds[0]);
  });

  it('gives the same seed when the first write’s answer was lost', async () => {
    const { environment, run, seeds } = await setUp();
    crashAfter(environment, 'PutItem');
    await expect(run()).rejects.toThrow('InternalServerError');
    await run();
    await run();
    expect(seeds).toHaveLength(1);
  });

  it('refuses the key with another body', async () => {
    const { run } = await setUp();
    await run();
    const error = await run({ bodyHash: 'bb' }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(RouseError);
    expect(error).toMatchObject({ code: 'idempotency_conflict', message: expect.stringContaining('"k"') });
  });

  it('keeps routes and callers apart', async () => {
    const { run, seeds } = await setUp();
    await run();
    await run({ route: 'POST /v1/agents/agt_1/tasks', bodyHash: 'bb' });
    await run({ principal: { ...principal, id: 'key_2' } as never, bodyHash: 'cc' });
    await run({ principal: { ...principal, tenant: 'other' } as never, bodyHash: 'dd' });
    expect(new Set(seeds).size).toBe(4);
  });

  it('forgets after a day', async () => {
    const { run, seeds } = await setUp();
    await run();
    expect((await run({ nowMs: nowMs + 86_400_000 })).replayed).toBe(true);
    expect(await run({ nowMs: nowMs + 86_401_000, bodyHash: 'bb' })).toEqual({ ...answer, replayed: false });
    expect(new Set(seeds).size).toBe(2);
  });
});

describe('the row of a runtime', () => {
  const runtime: Runtime = {
    id: runtimeId,
    agentId,
    tenant,
    createdMs: nowMs,
    taskDefinitionArn: 'arn:definition:1',
    taskRoleArn: 'arn:role',
    capacity: 'spot',
    stopTimeoutSeconds: 120,
    templateVersion: 1,
    status: 'intended',
  };
  const observation = (version: number): Observation => ({
    taskArn: 'arn:task',
    version,
    lastStatus: 'RUNNING',
    desiredStatus: 'RUNNING',
    executionStopped: false,
    pulling: false,
  });

  async function setUp() {
    const { state } = await makeTables();
    const runtimes = new RuntimeStore(state);
    await runtimes.create(runtime);
    return { runtimes, get: () => runtimes.get(tenant, runtimeId) };
  }

  it('is made once', async () => {
    const { runtimes, get } = await setUp();
    await runtimes.create({ ...runtime, capacity: 'on-demand' });
    expect(await get()).toEqual(runtime);
    expect(await runtimes.get('other', runtimeId)).toBeUndefined();
  });

  it('keeps when its launch was attempted first', async () => {
    const { runtimes } = await setUp();
    expect(await runtimes.attempt(runtime, nowMs)).toBe(nowMs);
    expect(await runtimes.attempt(runtime, nowMs + 9000)).toBe(nowMs);
  });

  it('is launched with its task', async () => {
    const { runtimes, get } = await setUp();
    await runtimes.launched(runtime, 'arn:task', nowMs);
    expect(await get()).toEqual({ ...runtime, status: 'launched', taskArn: 'arn:task', launchedMs: nowMs });
  });

  it('stays enrolled when the launch is written down after', async () => {
    const { runtimes, get } = await setUp();
    await runtimes.enrolled(runtime, 'hash', 'arn:task', nowMs);
    await runtimes.launched(runtime, 'arn:task', nowMs + 1);
    expect(await get()).toMatchObject({
      status: 'enrolled',
      nonceHash: 'hash',
      taskArn: 'arn:task',
      enrolledMs: nowMs,
    });
  });

  it('ends', async () => {
    const { runtimes, get } = await setUp();
    await runtimes.ended(tenant, runtimeId);
    expect((await get())?.status).toBe('ended');
  });

  it('is not made by its end', async () => {
    const { state } = await makeTables();
    const runtimes = new RuntimeStore(state);
    await runtimes.ended(tenant, runtimeId);
    expect(await runtimes.observe(tenant, runtimeId, observation(1))).toBe(false);
    expect(await runtimes.get(tenant, runtimeId)).toBeUndefined();
  });

  it('remembers since when ECS has not known it, and forgets it', async () => {
    const { runtimes, get } = await setUp();
    await runtimes.setMissing(runtime, nowMs);
    expect((await get())?.missingSinceMs).toBe(nowMs);
    await runtimes.setMissing(runtime, undefined);
    expect(await get()).not.toHaveProperty('missingSinceMs');
  });

  it('keeps the newest observation, in whatever order they come', async () => {
    const { runtimes, get } = await setUp();
    const kept = [];
    for (const version of [2, 1, 2, 3]) kept.push(await runtimes.observe(tenant, runtimeId, observation(version)));
    expect(kept).toEqual([true, false, false, true]);
    expect(await get()).toMatchObject({ observed: { version: 3 }, taskArn: 'arn:task' });
  });
});

describe('generations', () => {
  const generation = (number: number): Generation => ({
    number,
    parent: number > 1 ? number - 1 : null,
    manifestKey: `m-${number}`,
    manifestSha256: 'aa',
    bytes: 10,
    files: 1,
    packs: [],
    runtimeId,
    createdMs: nowMs,
  });

  it('are listed newest first, page by page', async () => {
    const store = new GenerationStore((await makeTables()).state);
    for (let i = 1; i <= 12; i++) await store.put(tenant, agentId, generation(i));
    const first = await store.page(tenant, agentId, 5, undefined);
    expect(first.items).toEqual([12, 11, 10, 9, 8].map(generation));
    const second = await store.page(tenant, agentId, 10, Number(first.next));
    expect(second.items.map((item) => item.number)).toEqual([7, 6, 5, 4, 3, 2, 1]);
    expect(second.next).toBeUndefined();
  });

  it('are all removed with their agent', async () => {
    const store = new GenerationStore((await makeTables()).state);
    for (let i = 1; i <= 60; i++) await store.put(tenant, agentId, generation(i));
    await store.deleteAll(tenant, agentId);
    expect((await store.page(tenant, agentId, 100, undefined)).items).toEqual([]);
    await store.deleteAll(tenant, agentId);
  });
});

describe('API keys', () => {
  const key: ApiKey = { id: 'key_1', tenant, name: 'first', role: 'admin' };

  it('are found by the hash of what the client sends', async () => {
    const store = new ApiKeyStore((await makeTables()).state);
    await store.put('hash', key);
    expect(await store.find('hash')).toEqual(key);
    expect(await store.find('other')).toBeUndefined();
  });

  it('are never replaced', async () => {
    const store = new ApiKeyStore((await makeTables()).state);
    await store.put('hash', key);
    await store.put('hash', { ...key, role: 'viewer' });
    expect((await store.find('hash'))?.role).toBe('admin');
  });
});

describe('waiting readers', () => {
  it('are let in up to the cap, and again in the next slot', async () => {
    const store = new WaiterStore((await makeTables()).state, 2);
    const answers = [];
    for (const atMs of [0, 1, 2, 25_000]) answers.push(await store.enter(nowMs + atMs));
    expect(answers).toEqual([true, true, false, true]);
  });
});
