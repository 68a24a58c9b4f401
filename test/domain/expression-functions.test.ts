import jsonata from 'jsonata';
import { expect, it } from 'vitest';
import { evaluate } from '../../lib/domain/expression.ts';

const items = [
  1,
  '1',
  true,
  null,
  { a: 1, b: [2] },
  { b: [2], a: 1 },
  [1, 2],
  [2, 1],
  [1, 2],
  '[1,2]',
  1,
  { a: 1 },
  '1',
];
const given = (source: string) => evaluate(`{% ${source} %}`, { items }, { path: 'input', nowMs: 0 });

it.each(['$distinct($items)', '$distinct($items[$type($)="number"])', '$distinct($items.a)', '$distinct([[1], [1]])'])(
  '%s gives what it gives in JSONata',
  async (source) => {
    const theirs: unknown = await jsonata(source).evaluate(null, { items });
    expect(await given(source)).toEqual(JSON.parse(JSON.stringify(theirs)));
  },
);

it('finds the distinct items of the longest array in time', async () => {
  expect(await given('$count($distinct([1..100000]))')).toBe(100_000);
}, 2_000);
