import { expect, test } from 'vitest';
import { type FunctionCall, TestStack } from '../support/stack.ts';

/**
 * The main job, with the process of a function dying before or after one of its AWS calls: whichever it is, the task
 * ends once, within the published bounds.
 */
interface Outcome {
  calls: string[];
  died: string | undefined;
  /** How often the program ran to its end. */
  finished: number;
  seconds: number;
}

const boundSeconds = 400;

async function mainJob(crashAt: number | undefined, fate: 'before' | 'after'): Promise<Outcome> {
  const stack = await TestStack.start();
  try {
    await stack.call('PUT', '/v1/templates/echo', {
      driver: { type: 'command', command: ['cat'] },
      idleTimeoutSeconds: 20,
    });
    const calls: string[] = [];
    let died: string | undefined;
    let finished = 0;
    stack.fleet.program = (task) => {
      finished += 1;
      return `${task.input}!`;
    };
    stack.crash = (call) => {
      const name = nameOf(call);
      calls.push(name);
      if (calls.length - 1 !== crashAt) return undefined;
      died = name;
      return fate;
    };
    const agent = await insist(stack, 'POST', '/v1/agents', { template: 'echo' }, 'agent');
    const task = await insist(stack, 'POST', `/v1/agents/${agent.id}/tasks`, { input: 'hello' }, 'task');
    const seconds = await stack.until(
      async () => (await read(stack, `/v1/tasks/${task.id}`)).status === 'succeeded',
      boundSeconds,
      'the answer',
    );
    expect(await read(stack, `/v1/tasks/${task.id}`)).toMatchObject({ output: 'hello!', failures: 0 });
    await stack.until(
      async () => (await read(stack, `/v1/agents/${agent.id}`)).status === 'paused',
      boundSeconds,
      'the pause',
    );
    // Whatever was left over is gone after a while: no container, no bell, nothing due.
    await stack.advance(600);
    expect(stack.fleet.living).toEqual([]);
    expect(await stack.bells()).toEqual([]);
    await expectOneEnd(stack, agent.id, task.id);
    return { calls, died, finished, seconds };
  } finally {
    await stack.close();
  }
}

/** A client that repeats what got no answer, with the same Idempotency-Key. */
async function insist(
  stack: TestStack,
  method: string,
  path: string,
  body: unknown,
  key: string,
): Promise<{ id: string }> {
  for (let tries = 0; tries < 5; tries++) {
    const answer = await stack.request(method, path, body, { 'idempotency-key': key });
    if (answer.status < 300) return answer.body as { id: string };
    expect(answer.status).toBe(500);
  }
  throw new Error(`${path} was never accepted.`);
}

async function read(stack: TestStack, path: string): Promise<Record<string, unknown>> {
  for (let tries = 0; ; tries++) {
    const answer = await stack.request('GET', path);
    if (answer.status === 200) return answer.body as Record<string, unknown>;
    if (tries > 3) throw new Error(`${path} answered ${answer.status}`);
  }
}

async function expectOneEnd(stack: TestStack, agentId: string, taskId: string): Promise<void> {
  const { items } = (await read(stack, `/v1/events?agentId=${agentId}&limit=200`)) as unknown as {
    items: { type: string; seq: number; taskId: string | null }[];
  };
  expect(items.map((event) => event.seq)).toEqual(items.map((_, i) => i + 1));
  const ends = items.filter((event) => event.taskId === taskId && event.type === 'task.succeeded');
  expect(ends).toHaveLength(1);
  expect(items.filter((event) => event.type === 'task.queued')).toHaveLength(1);
}

function nameOf({ function: name, request }: FunctionCall): string {
  const operation = request.headers['x-amz-target']?.split('.')[1] ?? `${request.method} ${request.path.slice(0, 40)}`;
  return `${name} ${operation}`;
}

test('the main job ends once, whichever call a function dies before or after', async () => {
  const { calls } = await mainJob(undefined, 'before');
  expect(calls.length).toBeGreaterThan(40);
  const failures: string[] = [];
  let slowest = 0;
  for (let i = 0; i < calls.length; i++) {
    for (const fate of ['before', 'after'] as const) {
      try {
        const outcome = await mainJob(i, fate);
        slowest = Math.max(slowest, outcome.seconds);
      } catch (error) {
        failures.push(
          `${fate} call ${i} (${calls[i]}): ${error instanceof Error ? error.message.split('\n')[0] : error}`,
        );
      }
    }
  }
  expect(failures).toEqual([]);
  expect(slowest).toBeLessThan(boundSeconds);
}, 600_000);
