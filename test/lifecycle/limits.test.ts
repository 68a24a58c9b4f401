import { afterEach, expect, test } from 'vitest';
import { type AgentResource, Client } from '../support/client.ts';
import { TestStack } from '../support/stack.ts';

let stack: TestStack;
let client: Client;

async function start(env: Record<string, string>): Promise<void> {
  stack = await TestStack.start({ env });
  client = new Client(stack);
  await client.putTemplate('echo', { idleTimeoutSeconds: 600 });
}

afterEach(() => stack.close());

/** A program that runs until it is told to end, for the agent that it is named after. */
const gates = new Map<string, () => void>();
const busy = () => {
  stack.fleet.program = (_task, shim) =>
    new Promise<string>((resolve) => gates.set(shim.agentId, () => resolve('done')));
};

async function agents(count: number): Promise<AgentResource[]> {
  const made: AgentResource[] = [];
  for (let i = 0; i < count; i++) made.push(await client.createAgent('echo'));
  return made;
}

/** Gives each of them work, one after the other, and the time to ask for a launch. */
async function work(given: AgentResource[]): Promise<void> {
  for (const { id } of given) {
    await client.submit(id, 'x');
    await stack.advance(1);
  }
  await stack.advance(5);
}

const statuses = (given: AgentResource[]) => Promise.all(given.map(async ({ id }) => (await client.agent(id)).status));
const used = () => stack.fleet.living.length;

test('over the limit of runtimes agents wait in order, visibly, and start when there is room', async () => {
  await start({ ROUSE_MAX_RUNTIMES: '2' });
  busy();
  const all = await agents(5);
  await work(all);
  expect(await statuses(all)).toEqual(['running', 'running', 'starting', 'starting', 'starting']);
  expect(await client.agent(all[2]!.id)).toMatchObject({
    statusReason: 'waiting for room: 2 of 2 runtimes of this tenant run',
  });
  for (const [gone, next] of [
    [0, 2],
    [1, 3],
    [2, 4],
  ] as const) {
    await stack.call('POST', `/v1/agents/${all[gone]!.id}/pause`, { force: true, hold: true }, 202);
    await client.becomes(all[next]!.id, 'running', 30);
    expect(used()).toBeLessThanOrEqual(2);
  }
  expect(await statuses(all)).toEqual(['paused', 'paused', 'paused', 'running', 'running']);
});

test('nobody overtakes those who wait, and who gives up waiting leaves the line', async () => {
  await start({ ROUSE_MAX_RUNTIMES: '1' });
  busy();
  const all = await agents(4);
  await work(all);
  await stack.call('POST', `/v1/agents/${all[1]!.id}/pause`, { hold: true }, 202);
  await stack.call('DELETE', `/v1/agents/${all[0]!.id}`, undefined, 202);
  await client.becomes(all[2]!.id, 'running', 90);
  expect(await statuses(all)).toEqual(['terminated', 'paused', 'running', 'starting']);
  // Held and resumed, it is behind the one that has waited all the time.
  await stack.call('POST', `/v1/agents/${all[1]!.id}/resume`, undefined, 202);
  await stack.advance(5);
  await stack.call('DELETE', `/v1/agents/${all[2]!.id}`, undefined, 202);
  await client.becomes(all[3]!.id, 'running', 90);
  expect(await statuses([all[1]!])).toEqual(['starting']);
});

test('a runtime that dies gives its place back, with every ECS event lost too', async () => {
  await start({ ROUSE_MAX_RUNTIMES: '1' });
  busy();
  const all = await agents(2);
  await work(all);
  stack.aws.faults.addDelivery(({ source }) => (source === 'events' ? { copies: 0 } : undefined));
  await stack.call('POST', `/v1/agents/${all[0]!.id}/pause`, { hold: true, force: true }, 202);
  await client.becomes(all[1]!.id, 'running', 400);
  expect(used()).toBe(1);
});

test('standbys count, and give way to an agent that waits', async () => {
  await start({ ROUSE_MAX_RUNTIMES: '2' });
  await client.putTemplate('warm', { warmPool: 2 });
  await stack.until(() => stack.fleet.living.filter(({ isWaiting }) => isWaiting).length === 2, 60);
  busy();
  const [agent] = await agents(1);
  await client.submit(agent!.id, 'x');
  await client.becomes(agent!.id, 'running', 120);
  await stack.advance(600);
  expect(used()).toBe(2);
  const template = await stack.call<{ pool: { ready: number; reason: string } }>('GET', '/v1/templates/warm');
  expect(template.pool).toMatchObject({ ready: 1, reason: expect.stringContaining('2 of 2 runtimes') });
  await stack.call('POST', `/v1/agents/${agent!.id}/pause`, { hold: true, force: true }, 202);
  await stack.until(() => stack.fleet.living.filter(({ isWaiting }) => isWaiting).length === 2, 900);
});

test('the longest idle agent makes room, if the deployment wants it; one that is kept active does not', async () => {
  await start({ ROUSE_MAX_RUNTIMES: '3', ROUSE_EVICT_IDLE: 'true' });
  const all = await agents(4);
  const [active, longest, later, newcomer] = all as [AgentResource, AgentResource, AgentResource, AgentResource];
  for (const agent of [active, longest, later]) {
    await client.ended((await client.submit(agent.id, 'x')).id);
    await stack.advance(20);
  }
  await stack.call('POST', `/v1/agents/${active.id}/activity`, { seconds: 600 });
  await client.ended((await client.submit(newcomer.id, 'x')).id, 90);
  expect(await statuses(all)).toEqual(['running', 'paused', 'running', 'running']);
  expect((await client.event(longest.id, 'agent.stopping')).data).toMatchObject({
    reason: 'paused to make room for another agent',
  });
  expect((await client.event(later.id, 'agent.running')).data).toBeDefined();
});

test('an agent beyond the limit is refused, until another one is terminated', async () => {
  await start({ ROUSE_MAX_AGENTS: '2' });
  const [first] = await agents(2);
  expect(await stack.request('POST', '/v1/agents', { template: 'echo' })).toMatchObject({
    status: 409,
    body: { code: 'limit_reached', limit: 2 },
  });
  await stack.call('DELETE', `/v1/agents/${first!.id}`, undefined, 202);
  await stack.advance(10);
  const headers = { 'idempotency-key': 'third' };
  const third = await stack.request('POST', '/v1/agents', { template: 'echo' }, headers);
  expect(third.status).toBe(201);
  expect((await stack.request('POST', '/v1/agents', { template: 'echo' }, headers)).body).toEqual(third.body);
  // Each is counted once, however often its end is looked at.
  await stack.advance(4200);
  expect((await stack.request('POST', '/v1/agents', { template: 'echo' })).status).toBe(409);
});

test('launches begin no faster than the deployment wants', async () => {
  await start({ ROUSE_LAUNCHES_PER_SECOND: '1' });
  const bornMs: number[] = [];
  stack.fleet.onStart = () => bornMs.push(stack.clock.now()) > 0;
  await Promise.all((await agents(12)).map(({ id }) => client.submit(id, 'x')));
  await stack.until(() => bornMs.length === 12, 60);
  const gaps = bornMs.slice(1).map((timeMs, i) => timeMs - bornMs[i]!);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1000);
});

test('a pool fills in the one lane of all launches, no faster, and behind the agents that asked before', async () => {
  await start({ ROUSE_LAUNCHES_PER_SECOND: '1' });
  const born: { timeMs: number; agentId: string }[] = [];
  stack.fleet.onStart = ({ agentId }) => born.push({ timeMs: stack.clock.now(), agentId }) > 0;
  const given = await agents(3);
  await Promise.all(given.map(({ id }) => client.submit(id, 'x')));
  await client.putTemplate('warm', { warmPool: 5 });
  await stack.until(() => born.length === 8, 60);
  const gaps = born.slice(1).map(({ timeMs }, i) => timeMs - born[i]!.timeMs);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1000);
  const isOfAgent = ({ agentId }: { agentId: string }) => given.some(({ id }) => id === agentId);
  expect(born.slice(0, 3).every(isOfAgent)).toBe(true);
});

test('when the limit is lifted everybody starts, and a later limit finds an empty line and no places', async () => {
  await start({ ROUSE_MAX_RUNTIMES: '1' });
  busy();
  const all = await agents(3);
  await work(all);
  expect(await statuses(all)).toEqual(['running', 'starting', 'starting']);
  stack.configure({ ROUSE_MAX_RUNTIMES: '' });
  await client.becomes(all[2]!.id, 'running', 120);
  expect(await statuses(all)).toEqual(['running', 'running', 'running']);
  for (const { id } of all) await stack.call('DELETE', `/v1/agents/${id}`, undefined, 202);
  await client.becomes(all[2]!.id, 'terminated', 120);
  stack.configure({ ROUSE_MAX_RUNTIMES: '1' });
  const [next] = await agents(1);
  await work([next!]);
  await client.becomes(next!.id, 'running', 60);
});

test('who gives up waiting after the limit was lifted does not stand in line for ever', async () => {
  await start({ ROUSE_MAX_RUNTIMES: '1' });
  busy();
  const [first, second, third] = await agents(3);
  await work([first!, second!]);
  stack.configure({ ROUSE_MAX_RUNTIMES: '' });
  await stack.call('POST', `/v1/agents/${second!.id}/pause`, { hold: true }, 202);
  await stack.call('DELETE', `/v1/agents/${first!.id}`, undefined, 202);
  await client.becomes(first!.id, 'terminated', 60);
  stack.configure({ ROUSE_MAX_RUNTIMES: '1' });
  await work([third!]);
  await client.becomes(third!.id, 'running', 60);
});

/** A look at the fleet, whenever it comes, and a sweep. */
const fleetLookSeconds = 370;

test('runtimes that ran before there was a limit count', async () => {
  await start({});
  busy();
  const all = await agents(3);
  await work(all.slice(0, 2));
  stack.configure({ ROUSE_MAX_RUNTIMES: '2' });
  await stack.advance(2 * fleetLookSeconds);
  await work(all.slice(2));
  expect(await client.agent(all[2]!.id)).toMatchObject({
    status: 'starting',
    statusReason: 'waiting for room: 2 of 2 runtimes of this tenant run',
  });
  await stack.call('POST', `/v1/agents/${all[0]!.id}/pause`, { force: true, hold: true }, 202);
  await client.becomes(all[2]!.id, 'running', 30);
});

test('agents count that came or went while there was no limit', async () => {
  await start({ ROUSE_MAX_AGENTS: '5' });
  const [gone] = await agents(2);
  stack.configure({ ROUSE_MAX_AGENTS: '' });
  await agents(2);
  await stack.call('DELETE', `/v1/agents/${gone!.id}`, undefined, 202);
  await stack.advance(fleetLookSeconds);
  stack.configure({ ROUSE_MAX_AGENTS: '4' });
  await stack.advance(fleetLookSeconds);
  const another = () => stack.request('POST', '/v1/agents', { template: 'echo' });
  expect((await another()).status).toBe(201);
  expect(await another()).toMatchObject({ status: 409, body: { code: 'limit_reached' } });
});

test('the one idle agent among more than a hundred is found in seconds, and nobody else has to go', async () => {
  await start({ ROUSE_MAX_RUNTIMES: '130', ROUSE_EVICT_IDLE: 'true' });
  busy();
  const crowd = await agents(129);
  for (const { id } of crowd) await client.submit(id, 'x');
  const [idle, newcomer] = (await agents(2)) as [AgentResource, AgentResource];
  await stack.until(() => used() === 129, 60);
  stack.fleet.program = () => 'done';
  await client.ended((await client.submit(idle.id, 'x')).id);
  await stack.advance(1);
  expect(await client.ended((await client.submit(newcomer.id, 'x')).id, 30)).toMatchObject({ status: 'succeeded' });
  const sentAway = await stack.call('GET', '/v1/agents?status=paused&status=stopping&limit=200');
  expect(sentAway.items).toMatchObject([{ id: idle.id }]);
});
