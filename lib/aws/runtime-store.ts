import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Observation, Runtime, Runtimes, Takeover } from '../app/ports.ts';
import { runtimeKey } from './keys.ts';
import { type Item, type Table, whether } from './table.ts';

/** A runtime's row outlives it for this long, so that late events and answers still find it. */
const keptSeconds = 7 * 86_400;
/** No runtime lives longer than its template's longest lifetime (14 days). */
const longestLifeSeconds = 15 * 86_400;

export class RuntimeStore implements Runtimes {
  private readonly table: Table;

  constructor(table: Table) {
    this.table = table;
  }

  async get(tenant: string, runtimeId: string): Promise<Runtime | undefined> {
    return toRuntime(await this.table.get(runtimeKey(tenant, runtimeId), true));
  }

  async getAll(tenant: string, runtimeIds: string[]): Promise<Runtime[]> {
    const items = await this.table.getAll(
      runtimeIds.map((id) => runtimeKey(tenant, id)),
      true,
    );
    return items.flatMap((item) => toRuntime(item) ?? []);
  }

  async create(runtime: Runtime): Promise<void> {
    const ttl = Math.floor(runtime.createdMs / 1000) + longestLifeSeconds;
    await this.table.putNew({ ...runtimeKey(runtime.tenant, runtime.id), ...runtime, ttl });
  }

  async attempt(runtime: Runtime, nowMs: number): Promise<number> {
    const answer = await this.table.client.send(
      new UpdateCommand({
        TableName: this.table.name,
        Key: runtimeKey(runtime.tenant, runtime.id),
        UpdateExpression: 'SET attemptedMs = if_not_exists(attemptedMs, :now)',
        ExpressionAttributeValues: { ':now': nowMs },
        ReturnValues: 'UPDATED_NEW',
      }),
    );
    return Number(answer.Attributes?.attemptedMs ?? nowMs);
  }

  async setWaiting(runtime: Runtime, nowMs: number): Promise<void> {
    await this.update(runtime, { waitingMs: runtime.waitingMs ?? nowMs }, {});
  }

  async setMissing(runtime: Runtime, missingSinceMs: number | undefined): Promise<void> {
    await this.update(runtime, { missingSinceMs }, {});
  }

  async launched(runtime: Runtime, taskArn: string, nowMs: number): Promise<void> {
    // A shim may enrol before RunTask's answer is written down.
    const done = await this.update(runtime, { status: 'launched', taskArn, launchedMs: nowMs }, { status: 'intended' });
    if (!done) await this.update(runtime, { taskArn, launchedMs: nowMs }, { taskArn: undefined });
  }

  enrolled(runtime: Runtime, nonceHash: string, taskArn: string, nowMs: number): Promise<boolean> {
    const status = runtime.agentId === undefined ? 'standby' : 'enrolled';
    const changes = { status, nonceHash, taskArn, enrolledMs: nowMs };
    return this.update(runtime, changes, { nonceHash: undefined, dismissedMs: undefined });
  }

  async takeOver(tenant: string, runtimeId: string, by: Takeover): Promise<Runtime | undefined> {
    const { agentId, templateVersion, overrides, nowMs } = by;
    const changes = { agentId, templateVersion, overrides, takenMs: nowMs, status: 'enrolled', ttl: ttlFrom(nowMs) };
    const expected = { id: runtimeId, status: 'standby', agentId: undefined, dismissedMs: undefined };
    return toRuntime(await this.table.changed(runtimeKey(tenant, runtimeId), changes, expected));
  }

  dismiss(runtime: Runtime, nowMs: number): Promise<boolean> {
    return this.update(runtime, { dismissedMs: runtime.dismissedMs ?? nowMs }, { agentId: runtime.agentId });
  }

  async seen(runtime: Runtime, nowMs: number): Promise<void> {
    await this.update(runtime, { seenMs: nowMs }, {});
  }

  async ended(tenant: string, runtimeId: string): Promise<void> {
    await this.table.change(runtimeKey(tenant, runtimeId), { status: 'ended' }, { id: runtimeId });
  }

  async observe(tenant: string, runtimeId: string, observation: Observation): Promise<boolean> {
    return whether(
      this.table.client.send(
        new UpdateCommand({
          TableName: this.table.name,
          Key: runtimeKey(tenant, runtimeId),
          UpdateExpression: 'SET observed = :seen, taskArn = if_not_exists(taskArn, :arn)',
          ConditionExpression:
            'attribute_exists(pk) AND (attribute_not_exists(observed) OR observed.#version < :version)',
          ExpressionAttributeNames: { '#version': 'version' },
          ExpressionAttributeValues: {
            ':seen': observation,
            ':arn': observation.taskArn,
            ':version': observation.version,
          },
        }),
      ),
    );
  }

  private update(runtime: Runtime, changes: Item, expected: Item): Promise<boolean> {
    // An agent's life in it begins with the takeover.
    const ttl = ttlFrom(runtime.takenMs ?? runtime.createdMs);
    return this.table.change(
      runtimeKey(runtime.tenant, runtime.id),
      { ...changes, ttl },
      { id: runtime.id, ...expected },
    );
  }
}

function ttlFrom(bornMs: number): number {
  return Math.floor(bornMs / 1000) + longestLifeSeconds + keptSeconds;
}

function toRuntime(item: Item | undefined): Runtime | undefined {
  if (!item) return undefined;
  const { pk: _pk, sk: _sk, ttl: _ttl, ...runtime } = item;
  return runtime as unknown as Runtime;
}
