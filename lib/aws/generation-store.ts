import { DeleteCommand } from '@aws-sdk/lib-dynamodb';
import type { Page } from '../app/ports.ts';
import type { Generation, Generations } from '../app/workspace-ports.ts';
import { agentPartition, generationKey, generationPrefix } from './keys.ts';
import type { Item, Table } from './table.ts';

export class GenerationStore implements Generations {
  private readonly table: Table;

  constructor(table: Table) {
    this.table = table;
  }

  async put(tenant: string, agentId: string, generation: Generation): Promise<void> {
    await this.table.put({ ...generationKey(tenant, agentId, generation.number), ...generation });
  }

  async get(tenant: string, agentId: string, number: number): Promise<Generation | undefined> {
    const item = await this.table.get(generationKey(tenant, agentId, number), true);
    return item && toGeneration(item);
  }

  async all(tenant: string, agentId: string): Promise<Generation[]> {
    const pages = this.table.pages({
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: { ':pk': agentPartition(tenant, agentId), ':prefix': generationPrefix },
      ConsistentRead: true,
    });
    const generations: Generation[] = [];
    for await (const items of pages) generations.push(...items.map(toGeneration));
    return generations;
  }

  async markDamaged(tenant: string, agentId: string, number: number, reason: string, nowMs: number): Promise<void> {
    const damage = { reason, foundMs: nowMs };
    await this.table.change(generationKey(tenant, agentId, number), { damage }, { number, damage: undefined });
  }

  async page(tenant: string, agentId: string, limit: number, before: number | undefined): Promise<Page<Generation>> {
    const items = await this.table.page(agentPartition(tenant, agentId), generationPrefix, {
      limit: limit + 1,
      newestFirst: true,
      before: before === undefined ? undefined : generationKey(tenant, agentId, before).sk,
    });
    const page = items.slice(0, limit).map(toGeneration);
    return { items: page, next: items.length > limit ? String(page.at(-1)?.number) : undefined };
  }

  async delete(tenant: string, agentId: string, number: number): Promise<void> {
    const Key = generationKey(tenant, agentId, number);
    await this.table.client.send(new DeleteCommand({ TableName: this.table.name, Key }));
  }

  async deleteAll(tenant: string, agentId: string): Promise<void> {
    const pk = agentPartition(tenant, agentId);
    for (;;) {
      const items = await this.table.page(pk, generationPrefix, { limit: 25, strong: true });
      if (items.length === 0) return;
      const deletions = items.map(
        (item) => new DeleteCommand({ TableName: this.table.name, Key: { pk, sk: item.sk } }),
      );
      await Promise.all(deletions.map((deletion) => this.table.client.send(deletion)));
    }
  }
}

function toGeneration(item: Item): Generation {
  const { pk: _pk, sk: _sk, ...generation } = item;
  return generation as unknown as Generation;
}
