import type { Agents, Page } from '../app/ports.ts';
import type { Agent } from '../domain/agent.ts';
import type { CarriedEvent } from '../domain/event.ts';
import { agentHead } from '../domain/head.ts';
import { dueEntry, headKey, listEntry } from './keys.ts';
import { difference, type Item, orConflict, type Table } from './table.ts';

/** Attributes of a head row that are not the agent's own. */
const rowAttributes = ['pk', 'sk', 'listPk', 'listSk', 'duePk', 'dueAt', 'events'] as const;

export class AgentStore implements Agents {
  private readonly table: Table;

  constructor(table: Table) {
    this.table = table;
  }

  async get(tenant: string, agentId: string, options: { strong: boolean }): Promise<Agent | undefined> {
    const agent = toAgent(await this.table.get(headKey(agentHead(tenant, agentId)), options.strong));
    // Two ids may share a partition's code: only the one that it was made for is the agent.
    return agent?.id === agentId ? agent : undefined;
  }

  async create(agent: Agent, events: CarriedEvent[]): Promise<void> {
    const item = {
      ...headKey(agentHead(agent.tenant, agent.id)),
      ...row(agent),
      ...listEntry(agent.tenant, 'agents', agent.id),
      events,
    };
    orConflict(await this.table.putNew(item), `Agent ${agent.id}`);
  }

  async commit(before: Agent, after: Agent, events: CarriedEvent[]): Promise<void> {
    const changes: Item = { ...difference(row(before), row(after)), events: events.length ? events : undefined };
    const expected: Item = { version: before.version };
    // A claim may have lowered the due time without a new version: a later one must not overwrite it unseen.
    if ('dueAt' in changes) expected.dueAt = before.dueAtMs;
    orConflict(
      await this.table.change(headKey(agentHead(before.tenant, before.id)), changes, expected),
      `Agent ${before.id}`,
    );
  }

  setWaiting(agent: Agent, waiting: boolean): Promise<boolean> {
    return this.table.change(
      headKey(agentHead(agent.tenant, agent.id)),
      { waiting },
      { runtimeId: agent.runtimeId, status: 'running' },
    );
  }

  async restartActivity(agent: Agent): Promise<void> {
    await this.table.change(
      headKey(agentHead(agent.tenant, agent.id)),
      { activeSinceMs: undefined },
      { runtimeId: agent.runtimeId, status: 'running' },
    );
  }

  async page(tenant: string, limit: number, before: string | undefined): Promise<Page<Agent>> {
    const keys = await this.table.listKeys(tenant, 'agents', limit, before);
    const items = await this.table.getAll(keys.items.map((entry) => entry.key));
    return { items: items.flatMap((item) => toAgent(item) ?? []), next: keys.next };
  }
}

function row(agent: Agent): Item {
  const { dueAtMs, ...rest } = agent;
  return { ...rest, ...dueEntry(agent.id, dueAtMs) };
}

/** The agent of a head row, also of an image in the stream. */
export function toAgent(item: Item | undefined): Agent | undefined {
  if (!item) return undefined;
  const own = Object.fromEntries(
    Object.entries(item).filter(([name]) => !(rowAttributes as readonly string[]).includes(name)),
  );
  return { ...own, ...(item.dueAt === undefined ? {} : { dueAtMs: Number(item.dueAt) }) } as Agent;
}
