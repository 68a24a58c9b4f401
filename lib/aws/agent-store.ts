import type { UpdateCommandInput } from '@aws-sdk/lib-dynamodb';
import type { Agents, Page } from '../app/ports.ts';
import type { Agent } from '../domain/agent.ts';
import { RouseError } from '../domain/errors.ts';
import type { CarriedEvent } from '../domain/event.ts';
import { agentHead } from '../domain/head.ts';
import { agentCountKey, dueEntry, headKey, listEntry } from './keys.ts';
import { difference, type Item, orConflict, type Table } from './table.ts';
import { writeTogether } from './transaction.ts';

/** Attributes of a head row that are not the agent's own. */
const rowAttributes = ['pk', 'sk', 'listPk', 'listSk', 'duePk', 'dueAt', 'events', 'counted'] as const;

type Mark = Pick<
  UpdateCommandInput,
  'ConditionExpression' | 'ExpressionAttributeNames' | 'ExpressionAttributeValues'
> & { UpdateExpression: string };

export class AgentStore implements Agents {
  private readonly table: Table;
  private readonly limit: number | undefined;

  /** @param limit agents that a tenant may have; undefined: they are not counted */
  constructor(table: Table, limit?: number) {
    this.table = table;
    this.limit = limit;
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
    const created =
      this.limit === undefined ? this.table.putNew(item) : this.putCounted(agent.tenant, item, this.limit);
    orConflict(await created, `Agent ${agent.id}`);
  }

  /** The agent and the count of agents in one write, so that the count can't drift. @throws RouseError limit_reached */
  private async putCounted(tenant: string, item: Item, limit: number): Promise<boolean> {
    const TableName = this.table.name;
    const outcome = await writeTogether(this.table, [
      { Put: { TableName, Item: { ...item, counted: true }, ConditionExpression: 'attribute_not_exists(pk)' } },
      {
        Update: {
          TableName,
          Key: agentCountKey(tenant),
          UpdateExpression: 'ADD agents :one',
          ConditionExpression: 'attribute_not_exists(agents) OR agents < :limit',
          ExpressionAttributeValues: { ':one': 1, ':limit': limit },
        },
      },
    ]);
    if (outcome === 'done') return true;
    if (outcome[0] === 'ConditionalCheckFailed') return false;
    const detail = `This deployment allows a tenant ${limit} agents, and there are as many. Terminate one that is not needed, or deploy with a higher maxAgents.`;
    throw new RouseError('limit_reached', detail, { extra: { limit } });
  }

  async uncount(tenant: string, agentId: string): Promise<void> {
    if (this.limit === undefined) return;
    await this.count(tenant, agentId, -1, {
      UpdateExpression: 'REMOVE counted',
      ConditionExpression: 'counted = :true',
      ExpressionAttributeValues: { ':true': true },
    });
  }

  async recount(tenant: string, limit: number, before: string | undefined): Promise<string | undefined> {
    const keys = await this.table.listKeys(tenant, 'agents', limit, before);
    const items = await this.table.getAll(
      keys.items.map(({ key }) => key),
      true,
    );
    for (const { id, status, counted } of items) {
      if (status === 'terminated' && counted) await this.uncount(tenant, String(id));
      if (status === 'terminated' || counted) continue;
      await this.count(tenant, String(id), 1, {
        UpdateExpression: 'SET counted = :true',
        ConditionExpression: 'attribute_not_exists(counted) AND #status <> :terminated',
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: { ':true': true, ':terminated': 'terminated' },
      });
    }
    return keys.next;
  }

  /** The agent's mark and the count in one write. What the mark says already is not counted again. */
  private async count(tenant: string, agentId: string, by: 1 | -1, mark: Mark): Promise<void> {
    const TableName = this.table.name;
    const count = { UpdateExpression: 'ADD agents :by', ExpressionAttributeValues: { ':by': by } };
    await writeTogether(this.table, [
      { Update: { TableName, Key: headKey(agentHead(tenant, agentId)), ...mark } },
      { Update: { TableName, Key: agentCountKey(tenant), ...count } },
    ]);
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
