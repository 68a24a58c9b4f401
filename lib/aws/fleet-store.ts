import type { Fleets } from '../app/ports.ts';
import type { CarriedEvent } from '../domain/event.ts';
import type { Fleet } from '../domain/fleet.ts';
import { dueEntry, headKey } from './keys.ts';
import { difference, type Item, orConflict, type Table } from './table.ts';

export class FleetStore implements Fleets {
  private readonly table: Table;

  constructor(table: Table) {
    this.table = table;
  }

  async get(tenant: string): Promise<Fleet | undefined> {
    const item = await this.table.get(keyOf(tenant), true);
    if (!item) return undefined;
    const { pk: _pk, sk: _sk, duePk: _duePk, dueAt, events: _events, ...fleet } = item;
    return { ...fleet, dueAtMs: Number(dueAt) } as Fleet;
  }

  async create(fleet: Fleet): Promise<void> {
    await this.table.putNew({ ...keyOf(fleet.tenant), ...row(fleet) });
  }

  async commit(before: Fleet, after: Fleet, events: CarriedEvent[]): Promise<void> {
    const changes: Item = { ...difference(row(before), row(after)), events: events.length ? events : undefined };
    orConflict(await this.table.change(keyOf(before.tenant), changes, { version: before.version }), 'The fleet');
  }
}

const keyOf = (tenant: string) => headKey({ tenant, kind: 'fleet', id: 'fleet' });

function row({ dueAtMs, ...fleet }: Fleet): Item {
  return { ...fleet, ...dueEntry(fleet.id, dueAtMs) };
}
