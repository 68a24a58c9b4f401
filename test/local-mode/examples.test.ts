import { expect, test } from 'vitest';
import { countWords } from '../../examples/map-reduce/main.ts';
import { type Agreement, agree, draft } from '../../examples/reviewers/main.ts';
import { Rouse } from '../../examples/stack.ts';
import { sharedStack } from '../e2e/support/shared-stack.ts';

let rouse: Rouse;

sharedStack(async (client) => {
  rouse = new Rouse(client);
});

const documents = [
  { name: 'a.md', text: 'agents agents agents sleep' },
  { name: 'b.md', text: 'agents wake wake' },
];

test('map-reduce reads all documents, asks, and publishes what was agreed to', async () => {
  const asked: string[] = [];
  const run = await countWords(rouse, documents, async (prompt) => {
    asked.push(prompt);
    return true;
  });
  expect(asked).toEqual(['Publish that 2 documents have 7 words?']);
  expect(run).toMatchObject({ status: 'succeeded', error: null });
  expect(run.output).toEqual({
    approved: true,
    report: '2 documents, 7 words. The most frequent ones:\n  4 × agents\n  2 × wake\n  1 × sleep',
  });
}, 60_000);

test('map-reduce publishes nothing after a no', async () => {
  const run = await countWords(rouse, documents, async () => false);
  expect(run.output).toEqual({ approved: false, report: null });
}, 60_000);

test('two reviewers go on until neither finds anything', async () => {
  const run = await agree(rouse, draft);
  expect(run).toMatchObject({ status: 'succeeded', error: null });
  const { text, rounds, findings } = run.output as Agreement;
  expect(findings).toEqual([]);
  expect(text).toBe('we believe that agents are useful. They are asleep most of the time.');
  expect(rounds).toBeGreaterThan(2);
}, 60_000);
