import { expect, test } from 'vitest';
import { freshStack, stack } from '../support/fresh-stack.ts';
import type { FunctionCall } from '../support/stack.ts';
import { WorkflowClient } from '../support/workflow-client.ts';

let client: WorkflowClient;
let agent: string;

freshStack(async () => {
  client = new WorkflowClient(stack);
  await client.putTemplate('many', { idleTimeoutSeconds: 3600 });
  agent = (await client.createAgent('many', { start: true })).id;
  await client.becomes(agent, 'running');
});

/** Runs a forEach step over so many items. @returns AWS requests of dispatch and record, by function */
async function mapped(items: number, step: Record<string, unknown>): Promise<Record<string, number>> {
  const requests: Record<string, number> = { dispatch: 0, record: 0 };
  stack.crash = ({ function: name, request }: FunctionCall) => {
    // The event log is that of any task, whoever gives it.
    if (name in requests && !Buffer.from(request.body).includes('LogTable')) requests[name]! += 1;
    return undefined;
  };
  const forEach = `{% [1..${items}] %}`;
  const run = await client.outcome([{ id: 'each', agent, forEach, ...step }], null, {
    output: '{% {"count": $count($steps.each.output), "sum": $sum($steps.each.output)} %}',
  });
  stack.crash = undefined;
  expect(run).toMatchObject({ status: 'succeeded', output: { count: items, sum: (items * (items + 1)) / 2 } });
  expect(run.steps.each?.items).toEqual({ total: items, started: items, succeeded: items, failed: 0 });
  return requests;
}

test('a map over 1,000 items with a limit of 20 has never more than 20 under way, and linear work', async () => {
  const waiting = new Set<string>();
  let most = 0;
  stack.meanwhile = ({ function: name, request }) => {
    const [, task] = /"sk":\{"S":"live#\d+#(tsk_\w+)"/.exec(Buffer.from(request.body).toString()) ?? [];
    const target = request.headers['x-amz-target'];
    if (name === 'dispatch' && target?.endsWith('.PutItem') && task) waiting.add(task);
    if (name === 'runtime' && target?.endsWith('.DeleteItem') && task) waiting.delete(task);
    most = Math.max(most, waiting.size);
    return undefined;
  };
  const many = await mapped(1000, { maxConcurrency: 20 });
  expect(most).toBe(20);
  stack.meanwhile = undefined;
  const few = await mapped(100, { maxConcurrency: 20 });
  // The work for an item does not grow with their number.
  for (const name of ['dispatch', 'record']) expect(many[name]! / 1000).toBeLessThan((few[name]! / 100) * 1.1);
}, 240_000);

test('what nobody tells a run it finds out by itself', async () => {
  const lose = stack.aws.faults.add(({ operation, principal, service }) =>
    service === 'dynamodb' && operation === 'PutItem' && principal?.includes('/record')
      ? { kind: 'error', code: 'ValidationException', status: 400 }
      : undefined,
  );
  await client.putWorkflow('lost', [
    { id: 'one', agent, input: 'a' },
    { id: 'each', agent, needs: ['one'], forEach: ['x', 'y'] },
  ]);
  const run = await client.startRun('lost');
  const ended = await client.runEnded(run.id, 600);
  expect(ended).toMatchObject({ status: 'succeeded', output: ['x', 'y'] });
  const { startedAt, finishedAt } = ended.steps.one!;
  expect(Date.parse(finishedAt!) - Date.parse(startedAt!)).toBeGreaterThanOrEqual(30_000);
  lose();
});

test('items are done in their order', async () => {
  const order: unknown[] = [];
  stack.fleet.program = (task) => {
    order.push(task.input);
    return task.input;
  };
  await mapped(150, {});
  expect(order).toEqual(Array.from({ length: 150 }, (_, i) => i + 1));
});
