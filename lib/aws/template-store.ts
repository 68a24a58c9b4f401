import { isDeepStrictEqual } from 'node:util';
import { DeleteCommand } from '@aws-sdk/lib-dynamodb';
import type { Page, Templates, TemplateVersion } from '../app/ports.ts';
import { listEntry, templateKey, templateUserKey, templateUserPrefix, templateVersionKey } from './keys.ts';
import { type Item, orConflict, type Table, whether } from './table.ts';

const cachedVersions = 500;

/** Versions never change once put, so a function reads each of them once. */
export class TemplateStore implements Templates {
  private readonly table: Table;
  private readonly cache = new Map<string, TemplateVersion>();

  constructor(table: Table) {
    this.table = table;
  }

  async get(tenant: string, name: string, version?: number): Promise<TemplateVersion | undefined> {
    if (version === undefined) return toVersion(await this.table.get(templateKey(tenant, name), true));
    const cacheKey = `${tenant}/${name}/${version}`;
    const cached = this.cache.get(cacheKey);
    if (cached) return cached;
    const key = templateVersionKey(tenant, name, version);
    // A brand-new version may not have reached every replica.
    const found = toVersion((await this.table.get(key, false)) ?? (await this.table.get(key, true)));
    if (found) {
      if (this.cache.size >= cachedVersions) this.cache.clear();
      this.cache.set(cacheKey, found);
    }
    return found;
  }

  async lastVersion(tenant: string, name: string): Promise<number> {
    const { pk } = templateKey(tenant, name);
    const [item] = await this.table.page(pk, 'version#', { limit: 1, strong: true, newestFirst: true });
    return Number(item?.version ?? 0);
  }

  async put(tenant: string, version: TemplateVersion): Promise<void> {
    const { name } = version;
    // The version first: the head must never point to one that is not there.
    const written = await this.table.putNew({ ...templateVersionKey(tenant, name, version.version), ...version });
    const what = `Version ${version.version} of template ${name}`;
    if (!written) {
      const known = toVersion(await this.table.get(templateVersionKey(tenant, name, version.version), true));
      const { taskDefinitionArn, spec } = version;
      // Its own answer may have got lost; somebody else's may share the task definition.
      orConflict(known?.taskDefinitionArn === taskDefinitionArn && isDeepStrictEqual(known.spec, spec), what);
    }
    const head: Item = { ...templateKey(tenant, name), ...version, ...listEntry(tenant, 'templates', name) };
    const replaced = await this.table.put(head, {
      ConditionExpression: 'attribute_not_exists(pk) OR #version < :version',
      ExpressionAttributeNames: { '#version': 'version' },
      ExpressionAttributeValues: { ':version': version.version },
    });
    orConflict(replaced, what);
  }

  async page(tenant: string, limit: number, before: string | undefined): Promise<Page<TemplateVersion>> {
    const keys = await this.table.listKeys(tenant, 'templates', limit, before);
    const items = await this.table.getAll(keys.items.map((entry) => entry.key));
    return { items: items.flatMap((item) => toVersion(item) ?? []), next: keys.next };
  }

  async addUser(tenant: string, name: string, agentId: string): Promise<void> {
    await this.table.putNew({ ...templateUserKey(tenant, name, agentId), agentId });
  }

  async removeUser(tenant: string, name: string, agentId: string): Promise<void> {
    const Key = templateUserKey(tenant, name, agentId);
    await this.table.client.send(new DeleteCommand({ TableName: this.table.name, Key }));
  }

  async users(tenant: string, name: string, limit: number): Promise<string[]> {
    const { pk } = templateKey(tenant, name);
    const items = await this.table.page(pk, templateUserPrefix, { limit, strong: true });
    return items.map((item) => String(item.agentId));
  }

  /** Removes the head: the name is free again, and its versions stay for the agents that were made from them. */
  async delete(tenant: string, name: string): Promise<void> {
    await whether(
      this.table.client.send(new DeleteCommand({ TableName: this.table.name, Key: templateKey(tenant, name) })),
    );
  }
}

function toVersion(item: Item | undefined): TemplateVersion | undefined {
  if (!item) return undefined;
  const { pk: _pk, sk: _sk, listPk: _listPk, listSk: _listSk, ...version } = item;
  return version as unknown as TemplateVersion;
}
