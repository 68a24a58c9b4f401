/** Consumed capacity: what each call costs, for its answer and for whoever adds up the bill. */

/** Capacity units of one call on one table. */
export interface Units {
  table: number;
  indexes: Map<string, number>;
}

export type ConsumedCapacityMode = 'INDEXES' | 'TOTAL' | 'NONE';
type Access = 'read' | 'write';

/** Adds up what one request consumes, table by table. */
export class Consumption {
  private readonly access: Access;
  private readonly tables = new Map<string, Units>();

  constructor(access: Access) {
    this.access = access;
  }

  add(tableName: string, table: number, indexes: Iterable<[string, number]> = []): void {
    let units = this.tables.get(tableName);
    if (!units) {
      units = { table: 0, indexes: new Map() };
      this.tables.set(tableName, units);
    }
    units.table += table;
    for (const [name, cost] of indexes) units.indexes.set(name, (units.indexes.get(name) ?? 0) + cost);
  }

  /** Total per table. */
  *totals(): Generator<[tableName: string, units: { readUnits: number; writeUnits: number }]> {
    for (const [tableName, units] of this.tables) {
      const sum = total(units);
      yield [tableName, this.access === 'read' ? { readUnits: sum, writeUnits: 0 } : { readUnits: 0, writeUnits: sum }];
    }
  }

  /**
   * The `ConsumedCapacity` members of an answer, one per table.
   * @param detailed tells read or write units apart, as transactions do
   */
  render(mode: ConsumedCapacityMode | undefined, detailed = false): Record<string, unknown>[] | undefined {
    if (mode === undefined || mode === 'NONE') return undefined;
    const capacity = (units: number) => ({
      CapacityUnits: units,
      ...(detailed && { [this.access === 'read' ? 'ReadCapacityUnits' : 'WriteCapacityUnits']: units }),
    });
    return [...this.tables].map(([TableName, units]) => ({
      TableName,
      ...capacity(total(units)),
      ...(mode === 'INDEXES' && { Table: capacity(units.table) }),
      ...(mode === 'INDEXES' &&
        units.indexes.size > 0 && {
          GlobalSecondaryIndexes: Object.fromEntries([...units.indexes].map(([name, cost]) => [name, capacity(cost)])),
        }),
    }));
  }
}

function total(units: Units): number {
  let sum = units.table;
  for (const cost of units.indexes.values()) sum += cost;
  return sum;
}
