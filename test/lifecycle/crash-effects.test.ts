import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { expect, test } from 'vitest';
import { newId } from '../../lib/domain/id.ts';
import { localAdministrator } from '../../local/credentials.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';
import type { FunctionCall } from '../support/stack.ts';
import { crashEverywhere, eventually } from './crash-everywhere.ts';

/** Effects that the main job has not: a container is stopped, files are removed, what belongs to nobody is ended. */

freshStack();

const never = () => new Promise<never>(() => {});
const filesOf = (agentId: string) => stack.objects(`agents/default/${agentId}/`);

const nothingLeft = () =>
  eventually(stack, 'an end of all', async () => stack.fleet.living.length === 0 && (await stack.bells()).length === 0);

async function runningAgent(): Promise<string> {
  const { id } = await client.createAgent('echo', { start: true });
  await client.becomes(id, 'running', 400);
  return id;
}

/** A client that repeats what got no answer. */
async function insist(method: string, path: string): Promise<void> {
  for (let tries = 0; tries < 4; tries++) if ((await stack.request(method, path)).status < 300) return;
  throw new Error(`${method} ${path} was never accepted.`);
}

test('a task of a mute shim is cancelled with proof, whichever AWS call dispatch dies after', async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 5 });
  const isMeant = (call: FunctionCall) => call.function === 'dispatch' || call.function === 'task-events';
  await crashEverywhere(stack, 'after', isMeant, 5, async () => {
    stack.fleet.program = never;
    const agentId = await runningAgent();
    const task = await client.submit(agentId, 'x', { timeoutSeconds: 3600 });
    await client.reaches(task.id, 'running', 60);
    stack.fleet.newest.mute = true;
    await insist('POST', `/v1/tasks/${task.id}/cancel`);
    await client.reaches(task.id, 'cancelled', 600);
    expect(stack.fleet.newest.alive).toBe(false);
    await nothingLeft();
    const cancelled = (await client.types(agentId)).filter((type) => type === 'task.cancelled');
    expect(cancelled).toHaveLength(1);
  });
}, 300_000);

test('nothing is left of a terminated agent, whichever AWS call a function dies after', async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 600 });
  let isEnding = false;
  const isMeant = (call: FunctionCall) => isEnding && ['api', 'dispatch', 'runtime'].includes(call.function);
  await crashEverywhere(stack, 'after', isMeant, 7, async () => {
    isEnding = false;
    const agentId = await runningAgent();
    await stack.fleet.newest.saveWorkspace(['a', 'b']);
    isEnding = true;
    await insist('DELETE', `/v1/agents/${agentId}`);
    await client.becomes(agentId, 'terminated', 400);
    await nothingLeft();
    await eventually(stack, 'the end of its files', async () => (await filesOf(agentId)).length === 0);
    expect((await client.types(agentId)).filter((type) => type === 'agent.terminated')).toHaveLength(1);
  });
}, 300_000);

test('a save prunes what is not kept, whichever AWS call the runtime function dies after', async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 3600, workspace: { keepGenerations: 1 } });
  const agentId = await runningAgent();
  const shim = stack.fleet.newest;
  let saves = 0;
  const isMeant = (call: FunctionCall) => call.function === 'runtime';
  await crashEverywhere(stack, 'after', isMeant, 3, async () => {
    const name = `file-${++saves}`;
    await shim.saveWorkspace([name]);
    const files = (await filesOf(agentId)).map((key) => key.replace(/^.*\/(packs|generations)\//, ''));
    expect(files.sort()).toEqual([`${(await client.agent(agentId)).workspace?.generation}/manifest.json`, name]);
  });
}, 300_000);

test('a look at the fleet ends what is nobody’s, whichever AWS call dispatch dies after', async () => {
  await client.putTemplate('echo');
  const agent = await client.createAgent('echo');
  const isMeant = (call: FunctionCall) => call.function === 'dispatch';
  const sqs = new SQSClient({
    region: stack.aws.region,
    credentials: localAdministrator,
    requestHandler: stack.aws.requestHandler(),
  });
  let strays = 0;
  await crashEverywhere(stack, 'after', isMeant, 3, async () => {
    const random = (length: number) => new Uint8Array(length).fill(++strays);
    const name = `rouse-bell-${newId('runtime', stack.clock.now(), random, agent.id)}`;
    await sqs.send(new CreateQueueCommand({ QueueName: name }));
    await eventually(stack, 'the end of the bell', async () => (await stack.bells()).length === 0);
  });
}, 300_000);
