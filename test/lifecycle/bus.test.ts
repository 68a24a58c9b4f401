import { afterEach, expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { TestStack } from '../support/stack.ts';

let stack: TestStack;

afterEach(() => stack.close());

interface Entry {
  DetailType: string;
  Detail: string;
}

/** Runs one task and gives what was put on the bus meanwhile. */
async function published(busEventTypes: string, crashAfterAppend = false): Promise<Entry[]> {
  stack = await TestStack.start({ env: { ROUSE_BUS_EVENT_TYPES: busEventTypes } });
  const entries: Entry[] = [];
  stack.aws.observe(({ operation, input, errorCode }) => {
    if (operation === 'PutEvents' && !errorCode) entries.push(...(input.Entries as Entry[]));
  });
  const client = new Client(stack);
  await client.putTemplate('echo', { idleTimeoutSeconds: 60 });
  const agent = await client.createAgent('echo');
  let died = false;
  stack.crash = (call) => {
    const isAppend = call.function === 'record' && call.request.headers['x-amz-target']?.endsWith('PutItem');
    if (!crashAfterAppend || died || !isAppend || !Buffer.from(call.request.body).includes('task.succeeded'))
      return undefined;
    died = true;
    return 'after';
  };
  const task = await client.submit(agent.id, 'x');
  await client.ended(task.id);
  await stack.advance(30);
  expect(died).toBe(crashAfterAppend);
  return entries;
}

test('no event goes on the bus unless somebody asked for its type', async () => {
  expect(await published('')).toEqual([]);
});

test('events of the chosen types go on the bus', async () => {
  const entries = await published('task.succeeded,agent.running');
  expect(entries.map((entry) => entry.DetailType)).toEqual(['agent.running', 'task.succeeded']);
  expect(JSON.parse(entries[1]!.Detail)).toMatchObject({
    tenant: 'default',
    type: 'task.succeeded',
    seq: 6,
    actor: { type: 'agent' },
  });
});

test('an event whose recorder died before it published goes on the bus all the same', async () => {
  const entries = await published('task.succeeded', true);
  expect(entries.map((entry) => entry.DetailType)).toEqual(['task.succeeded']);
});
