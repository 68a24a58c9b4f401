import { expect, test } from 'vitest';
import { Draw } from './draw.ts';
import { type Operation, operationOf } from './dynamodb/operations.ts';
import { shortest } from './dynamodb/shrink.ts';

const sequenceOf = (seed: number): Operation[] => {
  const draw = new Draw(seed);
  return Array.from({ length: 40 }, () => operationOf(draw));
};

test('A seed always gives the same operations, and another seed others.', () => {
  expect(sequenceOf(7)).toEqual(sequenceOf(7));
  expect(sequenceOf(7)).not.toEqual(sequenceOf(8));
});

test('Of a long sequence only the operations and the members remain that the difference needs.', async () => {
  const put = { name: 'PutItem', input: { TableName: 'state', Item: { pk: { S: 'p' }, sk: { S: 'needed' } } } };
  const get = { name: 'GetItem', input: { TableName: 'state', Key: { pk: { S: 'p' } }, ConsistentRead: true } };
  const isNeeded = ({ input }: Operation) => JSON.stringify(input).includes('needed');
  const isStrong = (operation: Operation) => operation.input.ConsistentRead === true;
  let asked = 0;
  const found = await shortest([...sequenceOf(1), put, ...sequenceOf(2), get], async (sequence) => {
    asked += 1;
    return sequence.slice(0, -1).some(isNeeded) && isStrong(sequence.at(-1)!);
  });
  expect(found).toEqual([
    { name: 'PutItem', input: { Item: { sk: { S: 'needed' } } } },
    { name: 'GetItem', input: { ConsistentRead: true } },
  ]);
  expect(asked).toBeLessThan(200);
});
