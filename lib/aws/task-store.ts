import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { Conflict, type Held, type Page, type TaskRecord, type Tasks } from '../app/ports.ts';
import { amountsOf } from '../domain/budget.ts';
import { mostOfAnything, type Usage } from '../domain/cost.ts';
import type { CarriedEvent } from '../domain/event.ts';
import { agentHead } from '../domain/head.ts';
import { chargeOf, type FinishedTask, isFinished, type LiveTask } from '../domain/task.ts';
import { packed, withPacked, withUnpacked } from './free-json.ts';
import { agentPartition, headKey, listEntry, liveKey, livePrefix, recordKey, recordPrefix } from './keys.ts';
import { difference, type Item, orConflict, type Table, whether } from './table.ts';
import { writeTogether } from './transaction.ts';

const rowAttributes = ['pk', 'sk', 'listPk', 'listSk', 'events'] as const;
/** Attributes that hold what users and their programs say. */
const freeOfRecord = ['input', 'output', 'expects', 'metadata', 'progress', 'usage'] as const;
const freeOfLive = ['outcome'] as const;

/**
 * A first submission that is older when it comes to its live row may have been overtaken by a repetition, and by the
 * end of the task. To rule that out takes a transaction, which costs three write units more; this long a submission
 * takes only in a function that has just started, or that was held up.
 */
const promptMs = 200;

export class TaskStore implements Tasks {
  private readonly table: Table;
  private readonly now: () => number;

  constructor(table: Table, now: () => number) {
    this.table = table;
    this.now = now;
  }

  async submit(record: TaskRecord, live: LiveTask, events: CarriedEvent[]): Promise<void> {
    const { tenant, id } = record;
    const fresh = await this.table.putNew({
      ...recordKey(tenant, id),
      ...withPacked({ ...record }, freeOfRecord),
      ...listEntry(tenant, 'tasks', id),
    });
    const row = { ...keyOf(live), ...live, ...listEntry(tenant, 'open', id), events };
    if (fresh && this.now() - live.createdMs < promptMs) await this.table.putNew(row);
    else await this.putUnlessEnded(record, row);
  }

  /**
   * Resumes what a crash cut off. What somebody else has submitted meanwhile, and has ended since, does not come back,
   * not even for a moment.
   */
  private async putUnlessEnded({ tenant, id }: TaskRecord, row: Item): Promise<void> {
    const TableName = this.table.name;
    await writeTogether(this.table, [
      {
        Update: {
          TableName,
          Key: recordKey(tenant, id),
          UpdateExpression: 'SET placedLate = :true',
          ExpressionAttributeValues: { ':true': true },
          ConditionExpression: 'attribute_exists(pk) AND attribute_not_exists(finalVersion)',
        },
      },
      { Put: { TableName, Item: row, ConditionExpression: 'attribute_not_exists(pk)' } },
    ]);
  }

  async record(tenant: string, taskId: string): Promise<TaskRecord | undefined> {
    return toRecord(await this.table.get(recordKey(tenant, taskId), true));
  }

  async records(tenant: string, taskIds: string[]): Promise<TaskRecord[]> {
    const items = await this.table.getAll(taskIds.map((id) => recordKey(tenant, id)));
    return items.flatMap((item) => toRecord(item) ?? []);
  }

  async live(tenant: string, agentId: string, place: number, taskId: string): Promise<LiveTask | undefined> {
    return toLive(await this.table.get(liveKey(tenant, agentId, place, taskId), true));
  }

  async lives(tenant: string, tasks: readonly { agentId: string; place: number; id: string }[]): Promise<LiveTask[]> {
    const keys = tasks.map(({ agentId, place, id }) => liveKey(tenant, agentId, place, id));
    const items = await this.table.getAll(keys, true);
    return items.flatMap((item) => toLive(item) ?? []);
  }

  async *queue(tenant: string, agentId: string, limit?: number): AsyncIterable<LiveTask[]> {
    const pages = this.table.pages({
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: { ':pk': agentPartition(tenant, agentId), ':prefix': livePrefix },
      ConsistentRead: true,
      Limit: limit,
    });
    for await (const items of pages) yield items.flatMap((item) => toLive(item) ?? []);
  }

  async commit(before: LiveTask, after: LiveTask, events: CarriedEvent[]): Promise<void> {
    const changes: Item = {
      ...withPacked(difference({ ...before }, { ...after }), freeOfLive),
      events: events.length ? events : undefined,
    };
    const expected = { version: before.version };
    const charge = chargeOf(before, after);
    const happened = charge
      ? await this.changeAndCharge(before, changes, expected, charge)
      : await this.table.change(keyOf(before), changes, expected);
    orConflict(happened, `Task ${before.id}`);
  }

  /** The task and what its agent has used in one write, so that no attempt is counted twice, or not at all. */
  private async changeAndCharge(task: LiveTask, changes: Item, expected: Item, charge: Partial<Usage>) {
    const { tokens, costUsd } = amountsOf(charge);
    const outcome = await writeTogether(this.table, [
      { Update: this.table.changeInput(keyOf(task), changes, expected) },
      {
        Update: {
          TableName: this.table.name,
          Key: headKey(agentHead(task.tenant, task.agentId)),
          UpdateExpression: 'ADD usedTokens :tokens, usedCostUsd :cost',
          ConditionExpression:
            'attribute_exists(pk) AND (attribute_not_exists(usedTokens) OR usedTokens < :most AND usedCostUsd < :most)',
          ExpressionAttributeValues: { ':tokens': tokens, ':cost': costUsd, ':most': mostOfAnything },
        },
      },
    ]);
    if (outcome === 'done' || outcome[0] === 'ConditionalCheckFailed') return outcome === 'done';
    // A count that has left all bounds stays where it is: no budget is that large.
    return this.table.change(keyOf(task), changes, expected);
  }

  async extendLease(task: Held, leaseUntilMs: number, used?: Usage): Promise<LiveTask> {
    try {
      const answer = await this.table.client.send(
        new UpdateCommand({
          TableName: this.table.name,
          Key: keyOf(task),
          UpdateExpression: `SET leaseUntilMs = :until${used ? ', used = :used' : ''}`,
          ConditionExpression: 'attempt = :fence AND runtimeId = :runtime AND #status IN (:running, :cancelling)',
          ExpressionAttributeNames: { '#status': 'status' },
          ExpressionAttributeValues: {
            ':until': leaseUntilMs,
            ...(used ? { ':used': used } : {}),
            ':fence': task.attempt,
            ':runtime': task.runtimeId,
            ':running': 'running',
            ':cancelling': 'cancelling',
          },
          ReturnValues: 'ALL_NEW',
        }),
      );
      return toLive(answer.Attributes)!;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) throw new Conflict(`Task ${task.id}`);
      throw error;
    }
  }

  async draftOutput(tenant: string, taskId: string, fence: number, output: unknown): Promise<void> {
    // A newer attempt's draft stays: only the fence that is committed picks its own.
    await whether(
      this.table.client.send(
        new UpdateCommand({
          TableName: this.table.name,
          Key: recordKey(tenant, taskId),
          UpdateExpression: 'SET draft = :draft, draftFence = :fence',
          ConditionExpression:
            'attribute_not_exists(finalVersion) AND (attribute_not_exists(draftFence) OR draftFence <= :fence)',
          ExpressionAttributeValues: { ':draft': packed(output), ':fence': fence },
        }),
      ),
    );
  }

  async setProgress(tenant: string, taskId: string, progress: unknown): Promise<void> {
    await this.table.change(
      recordKey(tenant, taskId),
      { progress: packed(progress) },
      { finalVersion: undefined, id: taskId },
    );
  }

  async settle(finished: LiveTask): Promise<void> {
    if (!isFinished(finished)) throw new Error(`Task ${finished.id} is ${finished.status}: it can't be settled.`);
    await this.writeOutcome(finished);
    await this.forget(finished);
  }

  async forget(live: LiveTask): Promise<void> {
    await whether(
      this.table.client.send(
        new DeleteCommand({
          TableName: this.table.name,
          Key: keyOf(live),
          ConditionExpression: 'attribute_not_exists(pk) OR version = :version',
          ExpressionAttributeValues: { ':version': live.version },
        }),
      ),
    );
  }

  private async writeOutcome(task: FinishedTask): Promise<void> {
    const { outcome } = task;
    const values: Item = {
      status: task.status,
      attempt: task.attempt,
      failures: task.failures,
      startedMs: task.firstStartedMs,
      finishedMs: task.finishedMs,
      finalVersion: task.version,
      error: outcome.error,
      usage: packed(outcome.usage),
      generation: outcome.generation,
      output: packed(outcome.output),
      outputKey: outcome.outputKey,
      outputBytes: outcome.outputBytes,
      exportsKey: outcome.exportsKey,
    };
    const given = Object.entries(values).filter(([, value]) => value !== undefined);
    const sets = given.map((_, i) => `#n${i} = :v${i}`);
    if (outcome.drafted !== undefined) sets.push('#output = draft');
    await whether(
      this.table.client.send(
        new UpdateCommand({
          TableName: this.table.name,
          Key: recordKey(task.tenant, task.id),
          UpdateExpression: `SET ${sets.join(', ')} REMOVE draftFence${outcome.drafted === undefined ? '' : ', draft'}`,
          ConditionExpression: 'attribute_exists(pk) AND attribute_not_exists(finalVersion)',
          ExpressionAttributeNames: {
            ...Object.fromEntries(given.map(([name], i) => [`#n${i}`, name])),
            ...(outcome.drafted === undefined ? {} : { '#output': 'output' }),
          },
          ExpressionAttributeValues: Object.fromEntries(given.map(([, value], i) => [`:v${i}`, value])),
        }),
      ),
    );
  }

  async pageOfAgent(
    tenant: string,
    agentId: string,
    limit: number,
    before: string | undefined,
  ): Promise<Page<TaskRecord>> {
    const items = await this.table.page(agentPartition(tenant, agentId), recordPrefix, {
      limit: limit + 1,
      newestFirst: true,
      before: before === undefined ? undefined : recordKey(tenant, before).sk,
    });
    const records = items.flatMap((item) => toRecord(item) ?? []);
    const page = records.slice(0, limit);
    return { items: page, next: records.length > limit ? page.at(-1)?.id : undefined };
  }

  async page(tenant: string, limit: number, before: string | undefined): Promise<Page<TaskRecord>> {
    const keys = await this.table.listKeys(tenant, 'tasks', limit, before);
    const items = await this.table.getAll(keys.items.map((entry) => entry.key));
    return { items: items.flatMap((item) => toRecord(item) ?? []), next: keys.next };
  }

  async pageOfOpen(tenant: string, limit: number, before: string | undefined): Promise<Page<LiveTask>> {
    const keys = await this.table.listKeys(tenant, 'open', limit, before);
    const items = await this.table.getAll(keys.items.map((entry) => entry.key));
    return { items: items.flatMap((item) => toLive(item) ?? []), next: keys.next };
  }
}

function keyOf(task: { tenant: string; agentId: string; place: number; id: string }) {
  return liveKey(task.tenant, task.agentId, task.place, task.id);
}

/** The task of a live row, also of an image in the stream. */
export function toLive(item: Item | undefined): LiveTask | undefined {
  return item && (withUnpacked(without(item, rowAttributes), freeOfLive) as unknown as LiveTask);
}

function toRecord(item: Item | undefined): TaskRecord | undefined {
  if (!item) return undefined;
  const own = without(item, [...rowAttributes, 'draft', 'draftFence', 'finalVersion', 'placedLate']);
  return withUnpacked(own, freeOfRecord) as unknown as TaskRecord;
}

function without(item: Item, names: readonly string[]): Item {
  return Object.fromEntries(Object.entries(item).filter(([name]) => !names.includes(name)));
}
