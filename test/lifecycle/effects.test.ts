import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FunctionDeps } from '../../lambdas/deps.ts';
import { lookAt } from '../../lib/app/look.ts';
import { tellParents } from '../../lib/app/parent.ts';
import type { Runtime } from '../../lib/app/ports.ts';
import { pruneGenerations } from '../../lib/app/prune-generations.ts';
import { act } from '../../lib/app/reconcile/step.ts';
import { recordWrites } from '../../lib/app/record.ts';
import { sweepDue } from '../../lib/app/sweep.ts';
import { dueShards } from '../../lib/aws/keys.ts';
import type { Agent } from '../../lib/domain/agent.ts';
import { agentHead, type HeadRef, poolHead, roomHead, runHead, scheduleHead } from '../../lib/domain/head.ts';
import type { LiveTask } from '../../lib/domain/task.ts';
import { Client } from '../support/client.ts';
import { TestStack } from '../support/stack.ts';

/** Each effect is performed twice, as after a crash or for a message that comes twice: nothing shows the second time. */

const tenant = 'default';
const never = () => new Promise<never>(() => {});

let stack: TestStack;
let client: Client;
let agent: Agent;
let runtime: Runtime;
let head: HeadRef;
let runId: string;
/** What the repetition finds gone. */
let ended: LiveTask | undefined;
let standby: string | undefined;

beforeEach(async () => {
  stack = await TestStack.start({ env: { ROUSE_MAX_RUNTIMES: '9' } });
  client = new Client(stack);
  stack.fleet.program = never;
  await client.putTemplate('echo', { idleTimeoutSeconds: 3600, warmPool: 1, workspace: { keepGenerations: 1 } });
  const { id } = await client.createAgent('echo', { start: true });
  await client.becomes(id, 'running');
  await stack.fleet.shims.find(({ agentId }) => agentId === id)!.saveWorkspace(['a']);
  await client.submit(id, 'x', { timeoutSeconds: 3600 });
  await stack.call('PUT', '/v1/schedules/hourly', {
    expression: 'rate(1 hour)',
    target: { agentId: id, task: { input: 'x' } },
  });
  await stack.call('PUT', '/v1/workflows/one', { steps: [{ id: 'only', agent: id, input: 'y' }] });
  runId = (await stack.call<{ id: string }>('POST', '/v1/workflows/one/runs', { input: null })).id;
  await stack.advance(10);
  const deps = stack.depsOf('dispatch');
  agent = (await deps.agents.get(tenant, id, { strong: true }))!;
  runtime = (await deps.runtimes.get(tenant, agent.runtimeId!))!;
  head = agentHead(tenant, id);
  ended = undefined;
  standby = undefined;
});

afterEach(() => stack.close());

/** All that a repetition could change. */
async function world() {
  const deps = stack.depsOf('dispatch');
  const {
    version: _agentVersion,
    dueAtMs: _due,
    ...now
  } = (await deps.agents.get(tenant, agent.id, { strong: true }))!;
  const feed = await stack.call<{ items: { id: string; type: string }[] }>('GET', '/v1/events?limit=200');
  return {
    agent: now,
    containers: stack.fleet.shims.map(({ runtimeId, alive }) => ({ runtimeId, alive })),
    bells: (await stack.bells()).sort(),
    objects: await stack.objects(''),
    alarms: await stack.depsOf('sweep').alarms.page(undefined, 100),
    places: (await deps.rooms.state(tenant)).used,
    words: await stack.depsOf('record').runs.get(tenant, runId),
    events: feed.items.map(({ id, type }) => `${type} ${id}`),
  };
}

type Effect = [string, string, (deps: FunctionDeps) => Promise<unknown>];

const event = { id: 'evt_01MBFVCQ00000000000000000A', timeMs: 0, type: 'agent.kept_active', cause: 'test' };
const alarm = () => ({ tenant, schedule: 'extra', expression: 'rate(1 day)', timezone: 'UTC' });
const copyOf = (key: string) => `agents/${tenant}/${agent.id}/copied/${key.split('/').at(-1)}`;
const files = () => stack.objects(`agents/${tenant}/${agent.id}/`);
const aPack = async () => (await files()).find((key) => key.includes('/packs/'))!;

const effects: Effect[] = [
  ['a launch', 'launch', (deps) => deps.runner.launch(runtime)],
  ['an intent to launch', 'dispatch', (deps) => act(deps, head, [{ type: 'request_launch', runtimeId: runtime.id }])],
  [
    'a stop',
    'dispatch',
    (deps) => act(deps, head, [{ type: 'stop_task', taskArn: runtime.taskArn!, reason: 'a test' }]),
  ],
  ['a new bell', 'launch', (deps) => deps.queues.createBell(runtime)],
  ['the end of a bell', 'dispatch', (deps) => act(deps, head, [{ type: 'delete_bell', runtimeId: runtime.id }])],
  ['a ring', 'dispatch', (deps) => act(deps, head, [{ type: 'ring', runtimeId: runtime.id }])],
  ['a nudge', 'record', (deps) => deps.queues.nudge([head])],
  ['a nudge at a time', 'dispatch', (deps) => act(deps, head, [{ type: 'timer', atMs: stack.clock.now() + 1000 }])],
  ['a nudge of a pool', 'dispatch', (deps) => act(deps, head, [{ type: 'nudge_pool', template: 'echo' }])],
  ['the end of a runtime', 'dispatch', (deps) => act(deps, head, [{ type: 'end_runtime', runtimeId: runtime.id }])],
  ['a place in a room', 'launch', (deps) => deps.rooms.enter(tenant, { runtimeId: 'rt_x', agentId: agent.id }, 9)],
  ['a place that is given back', 'dispatch', (deps) => deps.rooms.leave(tenant, runtime.id)],
  ['an alarm', 'dispatch', (deps) => deps.alarms.put(alarm())],
  ['the end of an alarm', 'dispatch', (deps) => deps.alarms.remove(tenant, 'hourly')],
  ['pruning', 'runtime', (deps) => pruneGenerations(deps, { ...agent, generations: [], lastGeneration: 1 })],
  ['a copy', 'dispatch', async (deps) => deps.objects.copy(await aPack(), copyOf(await aPack()))],
  ['the removal of files', 'dispatch', async (deps) => deps.objects.delete(await files())],
  [
    'a recorded event',
    'record',
    (deps) => {
      const events = [{ ...event, actor: { type: 'system' as const, id: 'test' } }];
      return recordWrites(deps, head, [{ head, events, sequence: '9'.repeat(30), rowVersion: 999, isNewTask: false }]);
    },
  ],
  [
    'word to a parent',
    'record',
    (deps) => {
      const parent = { type: 'run' as const, runId, step: 'only' };
      return tellParents(deps, [{ parent, tenant, id: 'tsk_01MBFVCQ00000000000000000A', status: 'failed' }]);
    },
  ],
  [
    'the end of a task',
    'runtime',
    async (deps) => {
      for await (const [task] of deps.tasks.queue(tenant, agent.id)) if (task) ended ??= task;
      await deps.tasks.settle({ ...ended!, status: 'succeeded', finishedMs: 1, outcome: { output: 'once' } });
    },
  ],
  [
    'the takeover of a standby',
    'dispatch',
    async (deps) => {
      const pool = (await deps.pools.get(tenant, 'echo', { strong: true }))!;
      standby ??= pool.standbys.find(({ ready }) => ready)!.id;
      const { id: agentId, templateVersion, overrides } = agent;
      await deps.runtimes.takeOver(tenant, standby, { agentId, templateVersion, overrides, nowMs: stack.clock.now() });
    },
  ],
  ['a sweep', 'sweep', (deps) => sweepDue(deps, dueShards)],
];

const looks: [string, () => HeadRef][] = [
  ['an agent', () => head],
  ['a run', () => runHead(tenant, runId)],
  ['a schedule', () => scheduleHead(tenant, 'hourly')],
  ['a pool', () => poolHead(tenant, 'echo')],
  ['a room', () => roomHead(tenant)],
  ['the fleet', () => ({ tenant, kind: 'fleet', id: 'fleet' })],
];

async function isOnceWhenTwice(perform: () => Promise<unknown>): Promise<void> {
  await perform();
  await stack.advance(10);
  const once = await world();
  await perform();
  await stack.advance(10);
  expect(await world()).toEqual(once);
}

describe('performed twice is performed once:', () => {
  test.each(effects)('%s', (_what, name, perform) => isOnceWhenTwice(() => perform(stack.depsOf(name))));

  test.each(looks)('a look at %s', (_what, which) =>
    isOnceWhenTwice(() => lookAt(stack.depsOf('dispatch'), which(), 'test')),
  );
});
