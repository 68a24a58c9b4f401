import { QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Agents, Page } from '../app/ports.ts';
import type { Agent } from '../domain/agent.ts';
import type { CarriedEvent } from '../domain/event.ts';
import { dueEntry, duePartition, headKey, listEntry } from './keys.ts';
import { difference, type Item, orConflict, type Table, whether } from './table.ts';

/** Attributes of a head row that are not the agent's own. */
const rowAttributes = ['pk', 'sk', 'listPk', 'listSk', 'duePk', 'dueAt', 'events'] as const;

export class AgentStore implements Agents {
  private readonly table: Table;

  constructor(table: Table) {
    this.table = table;
  }

  async get(tenant: string, agentId: string, options: { strong: boolean }): Promise<Agent | undefined> {
    const agent = toAgent(await this.table.get(headKey(tenant, agentId), options.strong));
    // Two ids may share a partition's code: only the one that it was made for is the agent.
    return agent?.id === agentId ? agent : undefined;
  }

  async create(agent: Agent, events: CarriedEvent[]): Promise<void> {
    const item = {
      ...headKey(agent.tenant, agent.id),
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
    orConflict(await this.table.change(headKey(before.tenant, before.id), changes, expected), `Agent ${before.id}`);
  }

  setWaiting(agent: Agent, waiting: boolean): Promise<boolean> {
    return this.table.change(
      headKey(agent.tenant, agent.id),
      { waiting },
      { runtimeId: agent.runtimeId, status: 'running' },
    );
  }

  async lowerDue(tenant: string, agentId: string, dueAtMs: number): Promise<void> {
    const { duePk, dueAt } = dueEntry(agentId, dueAtMs);
    await whether(
      this.table.client.send(
        new UpdateCommand({
          TableName: this.table.name,
          Key: headKey(tenant, agentId),
          UpdateExpression: 'SET duePk = :pk, dueAt = :at',
          ConditionExpression: 'attribute_exists(pk) AND (attribute_not_exists(dueAt) OR dueAt > :at)',
          ExpressionAttributeValues: { ':pk': duePk, ':at': dueAt },
        }),
      ),
    );
  }

  async page(tenant: string, limit: number, before: string | undefined): Promise<Page<Agent>> {
    const keys = await this.table.listKeys(tenant, 'agents', limit, before);
    const items = await this.table.getAll(keys.items.map((entry) => entry.key));
    return { items: items.flatMap((item) => toAgent(item) ?? []), next: keys.next };
  }

  async due(shard: number, nowMs: number, limit: number): Promise<{ tenant: string; agentId: string }[]> {
    const answer = await this.table.client.send(
      new QueryCommand({
        TableName: this.table.name,
        IndexName: 'due',
        KeyConditionExpression: 'duePk = :pk AND dueAt <= :now',
        ExpressionAttributeValues: { ':pk': duePartition(shard), ':now': nowMs },
        Limit: limit,
      }),
    );
    const heads = await this.table.getAll(
      (answer.Items ?? []).map((item) => ({ pk: String(item.pk), sk: String(item.sk) })),
    );
    return heads.map((item) => ({ tenant: String(item.tenant), agentId: String(item.id) }));
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
