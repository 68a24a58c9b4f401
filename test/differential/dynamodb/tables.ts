/** The tables on which the random sequences run: keys of every type, indexes of every projection. */
import type { CreateTableCommandInput, ScalarAttributeType } from '@aws-sdk/client-dynamodb';

export interface KeyAttribute {
  name: string;
  type: ScalarAttributeType;
}

export interface Index {
  name: string;
  keys: readonly KeyAttribute[];
  projection: { ProjectionType: 'ALL' | 'KEYS_ONLY' | 'INCLUDE'; NonKeyAttributes?: string[] };
}

export interface Table {
  name: string;
  keys: readonly KeyAttribute[];
  indexes: readonly Index[];
}

const key = (name: string, type: ScalarAttributeType): KeyAttribute => ({ name, type });

export const tables: readonly Table[] = [
  {
    // Rouse's own.
    name: 'state',
    keys: [key('pk', 'S'), key('sk', 'S')],
    indexes: [
      {
        name: 'list',
        keys: [key('listPk', 'S'), key('listSk', 'S')],
        projection: { ProjectionType: 'KEYS_ONLY' },
      },
      { name: 'due', keys: [key('duePk', 'S'), key('dueAt', 'N')], projection: { ProjectionType: 'KEYS_ONLY' } },
    ],
  },
  {
    name: 'ranks',
    keys: [key('pk', 'S'), key('sk', 'N')],
    indexes: [
      { name: 'groups', keys: [key('group', 'S'), key('rank', 'N')], projection: { ProjectionType: 'ALL' } },
      {
        name: 'tags',
        keys: [key('tag', 'B')],
        projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['a', 'map'] },
      },
    ],
  },
  { name: 'numbers', keys: [key('id', 'N')], indexes: [] },
  { name: 'blobs', keys: [key('pk', 'B'), key('sk', 'B')], indexes: [] },
];

const schema = (keys: readonly KeyAttribute[]) =>
  keys.map(({ name }, at) => ({ AttributeName: name, KeyType: at === 0 ? ('HASH' as const) : ('RANGE' as const) }));

export function createTableInput(table: Table): CreateTableCommandInput {
  const attributes = [...table.keys, ...table.indexes.flatMap((index) => index.keys)];
  return {
    TableName: table.name,
    BillingMode: 'PAY_PER_REQUEST',
    StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
    KeySchema: schema(table.keys),
    AttributeDefinitions: attributes.map(({ name, type }) => ({ AttributeName: name, AttributeType: type })),
    ...(table.indexes.length > 0 && {
      GlobalSecondaryIndexes: table.indexes.map((index) => ({
        IndexName: index.name,
        KeySchema: schema(index.keys),
        Projection: index.projection,
      })),
    }),
  };
}
