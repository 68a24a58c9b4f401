import { DeleteCommand } from '@aws-sdk/lib-dynamodb';
import type { Page } from '../app/ports.ts';
import type { Workflows } from '../app/runs/ports.ts';
import type { WorkflowVersion } from '../domain/workflow.ts';
import { packed, unpacked } from './free-json.ts';
import { listEntry, workflowKey, workflowVersionKey } from './keys.ts';
import { type Item, orConflict, type Table } from './table.ts';

const cachedVersions = 200;

/** Versions never change once put, so a function reads each of them once. */
export class WorkflowStore implements Workflows {
  private readonly table: Table;
  private readonly cache = new Map<string, WorkflowVersion>();

  constructor(table: Table) {
    this.table = table;
  }

  async get(tenant: string, name: string, version?: number): Promise<WorkflowVersion | undefined> {
    if (version === undefined) return toVersion(await this.table.get(workflowKey(tenant, name), true));
    const cacheKey = `${tenant}/${name}/${version}`;
    const cached = this.cache.get(cacheKey);
    if (cached) return cached;
    const found = toVersion(await this.table.get(workflowVersionKey(tenant, name, version), true));
    if (found) {
      if (this.cache.size >= cachedVersions) this.cache.clear();
      this.cache.set(cacheKey, found);
    }
    return found;
  }

  async lastVersion(tenant: string, name: string): Promise<number> {
    const { pk } = workflowKey(tenant, name);
    const [item] = await this.table.page(pk, 'version#', { limit: 1, strong: true, newestFirst: true });
    return Number(item?.version ?? 0);
  }

  async put(tenant: string, version: WorkflowVersion): Promise<void> {
    const { name } = version;
    const what = `Version ${version.version} of workflow ${name}`;
    const row = { ...version, definition: packed(version.definition) };
    // The version first: the head must never point to one that is not there.
    if (!(await this.table.putNew({ ...workflowVersionKey(tenant, name, version.version), ...row }))) {
      const known = await this.get(tenant, name, version.version);
      orConflict(JSON.stringify(known?.definition) === JSON.stringify(version.definition), what);
    }
    const head: Item = { ...workflowKey(tenant, name), ...row, ...listEntry(tenant, 'workflows', name) };
    const replaced = await this.table.put(head, {
      ConditionExpression: 'attribute_not_exists(pk) OR #version < :version',
      ExpressionAttributeNames: { '#version': 'version' },
      ExpressionAttributeValues: { ':version': version.version },
    });
    orConflict(replaced, what);
  }

  async page(tenant: string, limit: number, before: string | undefined): Promise<Page<WorkflowVersion>> {
    const keys = await this.table.listKeys(tenant, 'workflows', limit, before);
    const items = await this.table.getAll(keys.items.map((entry) => entry.key));
    return { items: items.flatMap((item) => toVersion(item) ?? []), next: keys.next };
  }

  async delete(tenant: string, name: string): Promise<void> {
    await this.table.client.send(new DeleteCommand({ TableName: this.table.name, Key: workflowKey(tenant, name) }));
  }
}

function toVersion(item: Item | undefined): WorkflowVersion | undefined {
  if (!item) return undefined;
  const { name, version, definition, createdMs } = item;
  return { name, version, createdMs, definition: unpacked(definition) } as WorkflowVersion;
}
