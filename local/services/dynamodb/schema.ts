/** Tables' key schemas and indexes: what CreateTable says, checked, and what it means for items and keys. */
import { invalidValue, validationError } from './errors.ts';
import { valueSize } from './size.ts';
import { type AttributeValue, attribute, type Item, type KeyType, typeOf } from './value.ts';

export interface KeySchema {
  partition: string;
  sort: string | undefined;
}

export interface IndexDefinition {
  name: string;
  keys: KeySchema;
  projection: { type: 'ALL' | 'KEYS_ONLY' | 'INCLUDE'; attributes: string[] };
}

/** The parts of CreateTable that make a schema. */
export interface SchemaInput {
  KeySchema: KeyElement[];
  AttributeDefinitions: { AttributeName: string; AttributeType: KeyType }[];
  GlobalSecondaryIndexes?: {
    IndexName: string;
    KeySchema: KeyElement[];
    Projection: { ProjectionType?: IndexDefinition['projection']['type']; NonKeyAttributes?: string[] };
  }[];
}
interface KeyElement {
  AttributeName: string;
  KeyType: 'HASH' | 'RANGE';
}

export interface Schema {
  keys: KeySchema;
  /** Type of every attribute that is a key of the table or of an index. */
  types: Record<string, KeyType>;
  indexes: IndexDefinition[];
}

const maxIndexes = 20;
const maxPartitionBytes = 2048;
const maxSortBytes = 1024;
const maxProjectedAttributes = 100;

/** @throws ValidationException when keys, attributes and indexes do not fit together */
export function schemaOf(input: SchemaInput): Schema {
  const types: Record<string, KeyType> = {};
  for (const { AttributeName, AttributeType } of input.AttributeDefinitions) {
    if (types[AttributeName]) throw invalidValue(`Duplicate AttributeName in AttributeDefinitions: ${AttributeName}`);
    types[AttributeName] = AttributeType;
  }
  const keys = keySchema(input.KeySchema, types);
  const indexes = (input.GlobalSecondaryIndexes ?? []).map((index) => indexDefinition(index, types));
  const names = new Set(indexes.map((index) => index.name));
  if (names.size < indexes.length)
    throw invalidValue(
      `Duplicate index name: ${indexes.find((index, at) => indexes[at + 1]?.name === index.name)?.name}`,
    );
  if (indexes.length > maxIndexes)
    throw invalidValue(`GlobalSecondaryIndex count exceeds the per-table limit of ${maxIndexes}`);
  refuseUnusedAttributes([keys, ...indexes.map((index) => index.keys)], types);
  return { keys, types, indexes };
}

function keySchema(elements: KeyElement[], types: Record<string, KeyType>): KeySchema {
  const [first, second] = elements;
  if (first?.KeyType !== 'HASH')
    throw invalidValue('Invalid KeySchema: The first KeySchemaElement is not a HASH key type');
  if (second && second.KeyType !== 'RANGE')
    throw invalidValue('Invalid KeySchema: The second KeySchemaElement is not a RANGE key type');
  if (second && second.AttributeName === first.AttributeName)
    throw invalidValue('Both the Hash Key and the Range Key element in the KeySchema have the same name');
  const missing = elements.map((element) => element.AttributeName).filter((name) => !types[name]);
  if (missing.length > 0)
    throw invalidValue(
      `Some index key attributes are not defined in AttributeDefinitions. Keys: [${missing.join(', ')}], AttributeDefinitions: [${Object.keys(types).join(', ')}]`,
    );
  return { partition: first.AttributeName, sort: second?.AttributeName };
}

function indexDefinition(
  input: NonNullable<SchemaInput['GlobalSecondaryIndexes']>[number],
  types: Record<string, KeyType>,
): IndexDefinition {
  const { ProjectionType: type, NonKeyAttributes: attributes = [] } = input.Projection;
  if (!type) throw invalidValue('Unknown ProjectionType: null');
  if (type !== 'INCLUDE' && attributes.length > 0)
    throw invalidValue(`ProjectionType is ${type}, but NonKeyAttributes is specified`);
  if (type === 'INCLUDE' && attributes.length === 0)
    throw invalidValue('ProjectionType is INCLUDE, but NonKeyAttributes is not specified');
  if (attributes.length > maxProjectedAttributes)
    throw invalidValue(`NonKeyAttributes count exceeds the limit of ${maxProjectedAttributes}`);
  return { name: input.IndexName, keys: keySchema(input.KeySchema, types), projection: { type, attributes } };
}

function refuseUnusedAttributes(schemas: KeySchema[], types: Record<string, KeyType>): void {
  const used = [...new Set(schemas.flatMap(keyNames))];
  const defined = Object.keys(types);
  if (defined.some((name) => !used.includes(name)))
    throw invalidValue(
      `Some AttributeDefinitions are not used. AttributeDefinitions: [${defined.join(', ')}], keys used: [${used.join(', ')}]`,
    );
}

export function keyNames(keys: KeySchema): string[] {
  return keys.sort === undefined ? [keys.partition] : [keys.partition, keys.sort];
}

/** Checks a `Key` parameter: the table's key attributes, of their types, and nothing else. */
export function checkKey(schema: Schema, key: Item): void {
  const names = keyNames(schema.keys);
  const fits = names.every((name) => attribute(key, name)?.[schema.types[name]!] !== undefined);
  if (!fits || Object.keys(key).length !== names.length)
    throw validationError('The provided key element does not match the schema');
  checkKeyContent(schema, key);
}

/** Checks the key attributes of an item that is about to be stored, and those of the indexes. */
export function checkItemKeys(schema: Schema, item: Item): void {
  for (const name of keyNames(schema.keys)) {
    const value = attribute(item, name);
    if (!value) throw invalidValue(`Missing the key ${name} in the item`);
    const type = typeOf(value);
    if (type !== schema.types[name])
      throw invalidValue(`Type mismatch for key ${name} expected: ${schema.types[name]} actual: ${type}`);
  }
  checkKeyContent(schema, item);
  checkIndexKeys(schema, item, false);
}

function checkKeyContent(schema: Schema, item: Item): void {
  for (const name of keyNames(schema.keys)) {
    const value = item[name]!;
    if (isEmpty(value))
      throw validationError(
        `One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty ${emptyType(value)} value. Key: ${name}`,
      );
    checkKeySize(value, name === schema.keys.partition);
  }
}

/** @throws ValidationException for a partition key over 2,048 bytes or a sort key over 1,024 */
export function checkKeySize(value: AttributeValue, isPartition: boolean): void {
  if (isPartition && valueSize(value) > maxPartitionBytes)
    throw invalidValue(`Size of hashkey has exceeded the maximum size limit of${maxPartitionBytes} bytes`);
  if (!isPartition && valueSize(value) > maxSortBytes)
    throw invalidValue(`Aggregated size of all range keys has exceeded the size limit of ${maxSortBytes} bytes`);
}

/** Index keys may be missing (the index is sparse then), but not of another type, empty or too long. */
export function checkIndexKeys(schema: Schema, item: Item, isUpdate: boolean): void {
  const emptyReason = isUpdate
    ? 'The update expression attempted to update a secondary index key to a value that is not supported.'
    : 'A value specified for a secondary index key is not supported.';
  for (const { name: indexName, keys } of schema.indexes) {
    for (const name of keyNames(keys)) {
      const value = attribute(item, name);
      if (!value) continue;
      const type = typeOf(value);
      if (type !== schema.types[name])
        throw invalidValue(
          `Type mismatch for Index Key ${name} Expected: ${schema.types[name]} Actual: ${type} IndexName: ${indexName}`,
        );
      if (isEmpty(value))
        throw validationError(
          `One or more parameter values are not valid. ${emptyReason} The AttributeValue for a key attribute cannot contain an empty ${emptyType(value)} value.${isUpdate ? '' : ` IndexName: ${indexName}, IndexKey: ${name}`}`,
        );
      checkKeySize(value, name === keys.partition);
    }
  }
}

function isEmpty(value: AttributeValue): boolean {
  return value.S === '' || value.B === '';
}

function emptyType(value: AttributeValue): string {
  return value.S === '' ? 'string' : 'binary';
}
