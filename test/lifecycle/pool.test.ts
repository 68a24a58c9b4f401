import { expect, test } from 'vitest';
import { client, freshStack, stack } from '../support/fresh-stack.ts';
import type { SimulatedShim } from '../support/simulated-shim.ts';

freshStack();

const standbys = () => stack.fleet.living.filter(({ agentId, isWaiting }) => agentId === '' && isWaiting);
const full = (count: number) =>
  stack.until(() => standbys().length === count && stack.fleet.living.length >= count, 300, `${count} standbys`);
const putWarm = (warmPool: number, differs: Record<string, unknown> = {}) =>
  client.putTemplate('warm', { warmPool, idleTimeoutSeconds: 60, ...differs });
const pool = async () => {
  const template = await stack.call<{ pool: Record<string, unknown> }>('GET', '/v1/templates/warm');
  return template.pool;
};
const isWarm = async (agentId: string) => (await client.event(agentId, 'agent.starting')).data.warm;
/** Every standby that is told of its agent has the bell of nobody else. */
const isCall = (call: { request: { headers: Record<string, string | undefined> } }, operation: string) =>
  call.request.headers['x-amz-target']?.endsWith(`.${operation}`) ?? false;

test('a pool is filled, an agent takes one standby over at once, and the pool refills', async () => {
  await putWarm(2);
  await full(2);
  expect(await pool()).toEqual({ wanted: 2, ready: 2, starting: 0, reason: null });
  const agent = await client.createAgent('warm');
  const before = [...stack.fleet.shims];
  const task = await client.submit(agent.id, 'x');
  await client.reaches(task.id, 'succeeded', 3);
  expect(before.map(({ agentId }) => agentId)).toContain(agent.id);
  expect(await isWarm(agent.id)).toBe(true);
  await full(2);
  expect(stack.fleet.living).toHaveLength(3);
  await client.becomes(agent.id, 'paused');
  await stack.advance(300);
  expect(stack.fleet.living).toHaveLength(2);
  expect(await stack.bells()).toHaveLength(2);
});

test('a standby has a token for nothing, until it is an agent’s', async () => {
  await putWarm(1);
  await full(1);
  const [standby] = standbys();
  await expect(standby!.post('claim', { slots: 1, running: [] })).rejects.toThrow('has no agent yet');
});

test('two agents that wake in the same moment never get the same standby', async () => {
  await putWarm(1);
  await full(1);
  const [only] = standbys();
  const agents = [await client.createAgent('warm'), await client.createAgent('warm')];
  const tasks = await Promise.all(agents.map(({ id }) => client.submit(id, 'x')));
  for (const task of tasks) await client.reaches(task.id, 'succeeded', 60);
  const warm = await Promise.all(agents.map(({ id }) => isWarm(id)));
  expect(warm.sort()).toEqual([false, true]);
  expect(agents.map(({ id }) => id)).toContain(only!.agentId);
});

test('many agents that wake together share out a pool', async () => {
  await putWarm(6);
  await full(6);
  const agents = await Promise.all(Array.from({ length: 8 }, () => client.createAgent('warm')));
  const tasks = await Promise.all(agents.map(({ id }) => client.submit(id, 'x')));
  for (const task of tasks) await client.reaches(task.id, 'succeeded', 60);
  const warm = await Promise.all(agents.map(({ id }) => isWarm(id)));
  expect(warm.filter(Boolean)).toHaveLength(6);
  expect(new Set(stack.fleet.shims.flatMap(({ agentId }) => agentId || [])).size).toBe(8);
  await full(6);
});

test('a template that changes drains its pool, and fills it anew', async () => {
  await putWarm(2);
  await full(2);
  const old = standbys();
  await putWarm(2, { cpu: 512, memoryMiB: 1024 });
  await stack.until(() => old.every(({ alive }) => !alive), 120, 'the end of the old standbys');
  await full(2);
  expect(stack.fleet.living).toHaveLength(2);
  // An agent that keeps the old version does not get what was launched from the new one.
  const agent = await client.createAgent('warm', { templateVersion: 1, start: true });
  await client.becomes(agent.id, 'running');
  expect(await isWarm(agent.id)).toBe(false);
});

test('a pool that only changes its size keeps its standbys, and serves agents of the version before', async () => {
  await putWarm(0);
  const agent = await client.createAgent('warm');
  await putWarm(1);
  await full(1);
  const [kept] = standbys();
  await putWarm(2);
  await full(2);
  expect(standbys()).toContain(kept);
  await client.submit(agent.id, 'x');
  await client.becomes(agent.id, 'running', 5);
  expect(await isWarm(agent.id)).toBe(true);
});

test.each([
  ['wants none any more', () => putWarm(0)],
  ['is deleted', () => stack.call('DELETE', '/v1/templates/warm', undefined, 204)],
])('a pool whose template %s leaves nothing', async (_what, end) => {
  await putWarm(3);
  await full(3);
  await end();
  await stack.until(() => stack.fleet.living.length === 0, 180, 'the end of all standbys');
  await stack.advance(300);
  expect(stack.fleet.shims).toHaveLength(3);
  expect(await stack.bells()).toEqual([]);
});

test('a standby that dies is replaced', async () => {
  await putWarm(1);
  await full(1);
  standbys()[0]!.die(137);
  await full(1);
  expect(stack.fleet.shims).toHaveLength(2);
});

test('a standby that falls silent is stopped and replaced, with every ECS event lost', async () => {
  await putWarm(1);
  await full(1);
  const [silent] = standbys();
  silent!.mute = true;
  stack.aws.faults.addDelivery(({ source }) => (source === 'events' ? { copies: 0 } : undefined));
  await stack.until(() => !silent!.alive, 500, 'the end of the silent standby');
  await full(1);
});

test('standbys that keep crashing stop the launching, until the next version', async () => {
  stack.fleet.onStart = (shim) => {
    stack.clock.at(stack.clock.now() + 2000, () => shim.die(1));
    return true;
  };
  await putWarm(1);
  await stack.advance(600);
  const launched = stack.fleet.shims.length;
  expect(launched).toBe(5);
  expect(await pool()).toMatchObject({ ready: 0, reason: expect.stringContaining('crashed 5 times in ten minutes') });
  await stack.advance(1200);
  expect(stack.fleet.shims).toHaveLength(launched);
  stack.fleet.onStart = () => true;
  await putWarm(1, { env: { FIXED: 'yes' } });
  await full(1);
});

test('an agent whose standby dies in the moment of the takeover gets another runtime', async () => {
  await putWarm(1);
  await full(1);
  const [doomed] = standbys();
  stack.meanwhile = async (call) => {
    if (call.function === 'dispatch' && isCall(call, 'UpdateItem')) doomed!.die(137);
  };
  const agent = await client.createAgent('warm');
  const task = await client.submit(agent.id, 'x');
  await client.reaches(task.id, 'succeeded', 120);
  await full(1);
});

test('a standby that heard no ring asks whose it is within half a minute', async () => {
  await putWarm(1);
  stack.fleet.onStart = (shim) => {
    shim.deaf = true;
    return true;
  };
  await full(1);
  const [deaf] = standbys();
  const agent = await client.createAgent('warm');
  const task = await client.submit(agent.id, 'x');
  await client.reaches(task.id, 'succeeded', 31);
  expect(deaf!.agentId).toBe(agent.id);
});

test('a standby that takes no notice of its takeover is let go of', async () => {
  await putWarm(1);
  await full(1);
  const [mute] = standbys();
  mute!.mute = true;
  const agent = await client.createAgent('warm');
  const task = await client.submit(agent.id, 'x');
  await client.reaches(task.id, 'succeeded', 150);
  await stack.until(() => !mute!.alive, 120, 'the end of the mute standby');
});

test('a standby that was reserved and never became anybody’s is stopped, and nobody else gets it', async () => {
  await putWarm(1);
  await full(1);
  const [reserved] = standbys();
  let crashes = 0;
  // The reservation is the first write of dispatch that names the runtime and the agent.
  stack.crash = (call) => {
    const isTakeover = call.function === 'dispatch' && Buffer.from(call.request.body).includes('takenMs');
    return isTakeover && crashes++ === 0 ? 'after' : undefined;
  };
  const agent = await client.createAgent('warm');
  const task = await client.submit(agent.id, 'x');
  await client.reaches(task.id, 'succeeded', 200);
  expect(crashes).toBeGreaterThan(0);
  await stack.until(() => !reserved!.alive, 200, 'the end of the reserved standby');
  expect(reserved!.agentId).toBe('');
  await full(1);
});

test('a standby is renewed at the end of its longest life, and keeps its credentials until then', async () => {
  await putWarm(1, { maxLifetimeSeconds: 7200 });
  await full(1);
  const [old] = standbys();
  await stack.advance(7100);
  expect(old!.alive).toBe(true);
  await stack.until(() => !old!.alive, 300, 'the end of the old standby');
  await full(1);
  const agent = await client.createAgent('warm');
  const task = await client.submit(agent.id, 'x');
  await client.reaches(task.id, 'succeeded', 5);
}, 30_000);

test('what happened in a pool is told', async () => {
  await putWarm(1);
  await full(1);
  const agent = await client.createAgent('warm', { start: true });
  await client.becomes(agent.id, 'running');
  await full(1);
  await stack.advance(10);
  const { items } = await stack.call<{ items: { pool: string; type: string; seq: number }[] }>('GET', '/v1/events');
  const told = items.filter((event) => event.pool === 'warm');
  expect(told.map(({ type }) => type)).toEqual([
    'pool.changed',
    'pool.launching',
    'pool.ready',
    'pool.taken_over',
    'pool.launching',
    'pool.ready',
  ]);
  expect(told.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
});

test('a large pool is filled at the pace of launches', async () => {
  await putWarm(40);
  await full(40);
  const born = stack.fleet.shims.map((shim: SimulatedShim) => shim.taskArn);
  expect(new Set(born).size).toBe(40);
}, 30_000);
