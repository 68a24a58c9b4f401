import { describe, expect, it } from 'vitest';
import { Conflict } from '../../lib/app/ports.ts';
import { AgentStore } from '../../lib/aws/agent-store.ts';
import { DueHeadStore } from '../../lib/aws/due-heads.ts';
import { dueShards, headKey } from '../../lib/aws/keys.ts';
import type { Agent } from '../../lib/domain/agent.ts';
import { enrol, start } from '../../lib/domain/agent-launch.ts';
import { update } from '../../lib/domain/agent-life.ts';
import { rearm } from '../../lib/domain/agent-transition.ts';
import { agentHead } from '../../lib/domain/head.ts';
import { idOf, shardOf } from '../../lib/domain/id.ts';
import { agentId, anAgent, anEvent, nowMs, otherRuntimeId, runtimeId, ulid } from '../support/builders.ts';
import { makeTables } from './tables.ts';

const tenant = 'default';

async function setUp(...existing: Agent[]) {
  const { state: table } = await makeTables();
  const agents = new AgentStore(table);
  const due = new DueHeadStore(table);
  for (const agent of existing) await agents.create(agent, [anEvent('agent.created')]);
  const get = (id = agentId) => agents.get(tenant, id, { strong: true });
  const head = () => table.get(headKey(agentHead(tenant, agentId)), true);
  return { table, agents, due, get, head };
}

const numbered = (number: number, differs: Partial<Agent> = {}) =>
  anAgent('paused', { id: idOf('agent', ulid(number)), ...differs });

describe('creating', () => {
  it('keeps the agent as it is', async () => {
    const agent = anAgent('paused', { dueAtMs: nowMs, overrides: { env: { A: '1' } }, labels: { a: 'b' } });
    const { get } = await setUp(agent);
    expect(await get()).toEqual(agent);
  });

  it('carries the events for the stream', async () => {
    const event = anEvent('agent.created');
    const { agents, head } = await setUp();
    await agents.create(anAgent(), [event]);
    expect((await head())?.events).toEqual([event]);
  });

  it('twice is a conflict', async () => {
    const { agents } = await setUp(anAgent());
    await expect(agents.create(anAgent(), [])).rejects.toThrow(Conflict);
  });

  it('of an id with the code of another is a conflict, and such an id names no agent', async () => {
    const { agents, get } = await setUp(anAgent());
    const twin = `agt_01HZ${agentId.slice(8)}`;
    await expect(agents.create(anAgent('paused', { id: twin }), [])).rejects.toThrow(Conflict);
    expect(await get(twin)).toBeUndefined();
  });

  it('is seen by nobody else', async () => {
    const { agents } = await setUp(anAgent());
    expect(await agents.get('other', agentId, { strong: true })).toBeUndefined();
  });
});

describe('a commit', () => {
  it('writes what differs, its events, and the due time', async () => {
    const before = anAgent('paused', { dueAtMs: nowMs, idleSinceMs: 5 });
    const { agents, get, head } = await setUp(before);
    const { agent } = start(before, runtimeId, 'work', nowMs);
    const event = anEvent('agent.starting');
    await agents.commit(before, agent, [event]);
    expect(await get()).toEqual(agent);
    expect(await head()).toMatchObject({ dueAt: nowMs + 60_000, events: [event] });
    expect(await head()).not.toHaveProperty('idleSinceMs');
  });

  it('leaves no events of an earlier write', async () => {
    const before = anAgent();
    const { agents, head } = await setUp(before);
    await agents.commit(before, rearm(before, {}).agent, []);
    expect(await head()).not.toHaveProperty('events');
  });

  it('without a due time leaves the index of what is due', async () => {
    const before = anAgent('paused', { dueAtMs: nowMs });
    const { agents, due, head } = await setUp(before);
    await agents.commit(before, rearm(before, { dueAtMs: undefined }).agent, []);
    expect(await head()).not.toHaveProperty('duePk');
    expect(await due.due(shardOf(agentId, dueShards), nowMs, 10)).toEqual([]);
  });

  it('under an old version is a conflict, and changes nothing', async () => {
    const before = anAgent('starting');
    const { agents, get } = await setUp(before);
    const first = enrol(before, nowMs).agent;
    await agents.commit(before, first, []);
    await expect(agents.commit(before, enrol(before, nowMs + 1).agent, [])).rejects.toThrow(Conflict);
    expect(await get()).toEqual(first);
  });

  it('of an agent that is not there is a conflict', async () => {
    const { agents } = await setUp();
    await expect(agents.commit(anAgent(), update(anAgent(), {}, nowMs).agent, [])).rejects.toThrow(Conflict);
  });

  it('with another due time is a conflict when the due time was lowered meanwhile', async () => {
    for (const dueAtMs of [undefined, nowMs + 1000]) {
      const before = anAgent('paused', { dueAtMs });
      const { agents, due, get } = await setUp(before);
      await due.lower(agentHead(tenant, agentId), nowMs + 10);
      await expect(agents.commit(before, rearm(before, { dueAtMs: nowMs + 5000 }).agent, [])).rejects.toThrow(Conflict);
      expect((await get())?.dueAtMs).toBe(nowMs + 10);
    }
  });

  it('with the same due time leaves one that was lowered meanwhile', async () => {
    const before = anAgent('paused', { dueAtMs: nowMs + 1000 });
    const { agents, due, get } = await setUp(before);
    await due.lower(agentHead(tenant, agentId), nowMs + 10);
    await agents.commit(before, update(before, { name: 'other' }, nowMs).agent, []);
    expect(await get()).toMatchObject({ name: 'other', dueAtMs: nowMs + 10 });
  });
});

describe('a due time', () => {
  it('is lowered, never raised', async () => {
    const { due, get } = await setUp(anAgent('paused', { dueAtMs: nowMs + 100 }));
    await due.lower(agentHead(tenant, agentId), nowMs + 200);
    expect((await get())?.dueAtMs).toBe(nowMs + 100);
    await due.lower(agentHead(tenant, agentId), nowMs + 50);
    expect((await get())?.dueAtMs).toBe(nowMs + 50);
  });

  it('is set where there is none', async () => {
    const { due, get } = await setUp(anAgent());
    await due.lower(agentHead(tenant, agentId), nowMs);
    expect((await get())?.dueAtMs).toBe(nowMs);
    expect(await due.due(shardOf(agentId, dueShards), nowMs, 10)).toEqual([agentHead(tenant, agentId)]);
  });

  it('is lowered without a new version', async () => {
    const { due, get } = await setUp(anAgent());
    await due.lower(agentHead(tenant, agentId), nowMs);
    expect((await get())?.version).toBe(anAgent().version);
  });

  it('of an agent that is not there makes none', async () => {
    const { due, head } = await setUp();
    await due.lower(agentHead(tenant, agentId), nowMs);
    expect(await head()).toBeUndefined();
  });

  it('that has come is found in its shard, the longest due first', async () => {
    const all = Array.from({ length: 150 }, (_, i) => numbered(i, { dueAtMs: nowMs - i }));
    const { due } = await setUp(...all, numbered(500, { dueAtMs: nowMs + 1 }));
    const shards = await Promise.all(Array.from({ length: dueShards }, (_, shard) => due.due(shard, nowMs, 200)));
    expect(shards.flat()).toHaveLength(150);
    for (const [shard, found] of shards.entries()) {
      const expected = all.filter((agent) => shardOf(agent.id, dueShards) === shard).map((agent) => agent.id);
      expect(found.map((head) => head.id)).toEqual(expected.reverse());
      expect(await due.due(shard, nowMs, 2)).toEqual(found.slice(0, 2));
    }
  });
});

describe('waiting', () => {
  it('is said by the enrolled runtime without a new version', async () => {
    const agent = anAgent('running');
    const { agents, get } = await setUp(agent);
    expect(await agents.setWaiting(agent, true)).toBe(true);
    expect(await get()).toEqual({ ...agent, waiting: true });
    expect(await agents.setWaiting(agent, false)).toBe(true);
    expect((await get())?.waiting).toBe(false);
  });

  it('is refused to another runtime, and once the agent stops', async () => {
    const { agents } = await setUp(anAgent('running'));
    expect(await agents.setWaiting(anAgent('running', { runtimeId: otherRuntimeId }), true)).toBe(false);
    const stopping = await setUp(anAgent('stopping'));
    expect(await stopping.agents.setWaiting(anAgent('running'), true)).toBe(false);
  });
});

describe('the list of agents', () => {
  it('is newest first over all shards, page by page', async () => {
    const all = Array.from({ length: 19 }, (_, i) => numbered(i));
    const { agents } = await setUp(...all);
    const expected = all.map((agent) => agent.id).reverse();
    for (const limit of [1, 4, 19]) {
      const seen: string[] = [];
      let before: string | undefined;
      do {
        const page = await agents.page(tenant, limit, before);
        seen.push(...page.items.map((agent) => agent.id));
        before = page.next;
      } while (before);
      expect(seen).toEqual(expected);
    }
  });

  it('shows nothing of another tenant', async () => {
    const { agents } = await setUp(anAgent());
    expect(await agents.page('other', 10, undefined)).toEqual({ items: [], next: undefined });
  });
});
