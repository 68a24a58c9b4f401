import type { ApiKey, ApiKeys } from '../app/ports.ts';
import { apiKeyKey } from './keys.ts';
import type { Table } from './table.ts';

export class ApiKeyStore implements ApiKeys {
  private readonly table: Table;

  constructor(table: Table) {
    this.table = table;
  }

  async find(keyHash: string): Promise<ApiKey | undefined> {
    const item = await this.table.get(apiKeyKey(keyHash), false);
    if (!item) return undefined;
    const { pk: _pk, sk: _sk, ...key } = item;
    return key as unknown as ApiKey;
  }

  async put(keyHash: string, key: ApiKey): Promise<void> {
    await this.table.putNew({ ...apiKeyKey(keyHash), ...key });
  }
}
