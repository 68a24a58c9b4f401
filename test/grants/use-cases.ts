import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { expect, vi } from 'vitest';
import { timeOf } from '../../lib/domain/id.ts';
import { localAdministrator } from '../../local/credentials.ts';
import type { CloudAssembly } from '../../local/deploy/assembly.ts';
import type { WireRequest } from '../../local/service.ts';
import { Adversary, usage } from '../lifecycle/adversary-runtime.ts';
import { Client, type TaskResource } from '../support/client.ts';
import { InProcessStack } from '../support/in-process-stack.ts';
import { sendFrom } from '../support/shim-api.ts';

/** Something that the product does, told so that together the use cases need every grant of the template. */
export interface UseCase {
  name: string;
  run(): Promise<void>;
}

export const useCases: UseCase[] = [];

function useCase(name: string, run: () => Promise<void>): void {
  const withTemplate = async () => {
    await client.putTemplate('echo', { idleTimeoutSeconds: 60 });
    await run();
  };
  useCases.push({ name, run: withTemplate });
}

/** The stack of the use case that runs, for all functions below. */
let stack: InProcessStack;
let client: Client;

/** Starts the stack that the next use case runs on. Call `vi.useRealTimers` when it is over. */
export async function startStack(assembly: string | CloudAssembly): Promise<InProcessStack> {
  // URLs are presigned by the machine's clock.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2027, 0, 4, 8) });
  stack = await InProcessStack.start(assembly, {
    env: {
      ROUSE_BUS_EVENT_TYPES: 'task.succeeded,task.failed,agent.running',
      ROUSE_MAX_AGENTS: '50',
      ROUSE_MAX_RUNTIMES: '50',
    },
  });
  client = new Client(stack);
  return stack;
}

const never = () => new Promise<never>(() => {});
const large = 'x'.repeat(100_000);

/** Follows a presigned URL. */
async function follow(url: string, method = 'GET', body = ''): Promise<number> {
  const { pathname: path, search, host, searchParams } = new URL(url);
  const request = { method, path, query: Object.fromEntries(searchParams), rawQuery: search.slice(1) };
  return (await stack.aws.handle({ ...request, headers: { host }, body: Buffer.from(body) })).status;
}

function call<T = Record<string, unknown>>(...request: Parameters<InProcessStack['call']>): Promise<T> {
  vi.setSystemTime(stack.clock.now());
  return stack.call<T>(...request);
}

const isCall = (request: WireRequest, operation: string) =>
  request.headers['x-amz-target']?.endsWith(`.${operation}`) ?? false;

type WithUrls = TaskResource & { inputUrl?: string; outputUrl?: string };

useCase('templates and agents are written, listed, changed and removed', async () => {
  await client.putTemplate('short', {});
  await client.putTemplate('short', { idleTimeoutSeconds: 90 });
  await call('GET', '/v1/templates');
  await call('GET', '/v1/templates/short?version=1');
  const agent = await client.createAgent('short');
  await call('PATCH', `/v1/agents/${agent.id}`, { labels: { a: 'b' } });
  await call('GET', '/v1/agents');
  await call('DELETE', `/v1/agents/${agent.id}`, undefined, 202);
  await stack.advance(60);
  await call('DELETE', '/v1/templates/short', undefined, 204);
});

useCase('inputs and outputs of all sizes come and go', async () => {
  const agent = await client.createAgent('echo');
  const upload = await call<{ ref: string; url: string }>('POST', '/v1/uploads', {}, 201);
  expect(await follow(upload.url, 'PUT', large)).toBe(200);
  stack.fleet.program = never;
  const uploaded = await call<WithUrls>('POST', `/v1/agents/${agent.id}/tasks`, { input: { $ref: upload.ref } }, 202);
  expect(await follow(uploaded.inputUrl!)).toBe(200);
  await client.reaches(uploaded.id, 'running');
  const adversary = new Adversary(stack, stack.fleet.newest);
  const grip = { fence: 1, place: String(timeOf(uploaded.id)) };
  vi.setSystemTime(stack.clock.now());
  const target = await adversary.call(`outputs/${uploaded.id}`, { ...grip, bytes: large.length });
  expect(await follow(String(target.body.url), 'PUT', large)).toBe(200);
  const lines = [{ time: new Date(stack.clock.now()).toISOString(), stream: 'stdout', line: 'hello' }];
  expect(await adversary.call(`tasks/${uploaded.id}/events`, { ...grip, lines })).toMatchObject({ status: 200 });
  const outputRef = { key: target.body.key, bytes: large.length };
  expect(await adversary.call(`tasks/${uploaded.id}/complete`, { ...grip, outputRef, usage, slots: 0 })).toMatchObject({
    status: 200,
  });
  const finished = await call<WithUrls>('GET', `/v1/tasks/${uploaded.id}`);
  expect(await follow(finished.inputUrl!)).toBe(200);
  expect(await follow(finished.outputUrl!)).toBe(200);

  const big = await call<WithUrls>('POST', `/v1/agents/${agent.id}/tasks`, { input: large }, 202);
  expect(await follow(big.inputUrl!)).toBe(200);
  await stack.advance(30);
  await call('GET', '/v1/events');
  await call('GET', `/v1/agents/${agent.id}/logs`);
  await call('GET', `/v1/agents/${agent.id}/tasks`);
  await call('GET', '/v1/tasks');
  await call('DELETE', `/v1/agents/${agent.id}`, undefined, 202);
  await stack.advance(300);
});

useCase('what the shim gets a URL for, it reads', async () => {
  const agent = await client.createAgent('echo');
  const urls: string[] = [];
  stack.fleet.program = (task) => {
    if ('inputUrl' in task) urls.push(String(task.inputUrl));
    return 'read';
  };
  const upload = await call<{ ref: string; url: string }>('POST', '/v1/uploads', {}, 201);
  await follow(upload.url, 'PUT', large);
  const tasks = [await client.submit(agent.id, large), await client.submit(agent.id, { $ref: upload.ref })];
  for (const task of tasks) {
    vi.setSystemTime(stack.clock.now());
    await client.ended(task.id);
  }
  expect(urls).toHaveLength(2);
  for (const url of urls) expect(await follow(url)).toBe(200);
});

useCase('a workspace is saved, restored, pruned, and removed with its agent', async () => {
  await client.putTemplate('files', { idleTimeoutSeconds: 600, workspace: { keepGenerations: 1 } });
  const agent = await client.createAgent('files', { start: true });
  await client.becomes(agent.id, 'running');
  await stack.fleet.newest.saveWorkspace(['a']);
  await stack.fleet.newest.saveWorkspace(['b']);
  const fork = await call<{ id: string }>('POST', `/v1/agents/${agent.id}/fork`, {}, 201);
  await client.becomes(fork.id, 'paused');
  await stack.advance(10);
  expect(await client.agent(fork.id)).toMatchObject({ workspace: { generation: 1 } });
  await call('GET', `/v1/agents/${agent.id}/generations`);
  await call('GET', `/v1/agents/${agent.id}/generations/2/files`);
  await call('POST', `/v1/agents/${agent.id}/pause`, {}, 202);
  await client.becomes(agent.id, 'paused');
  await client.ended((await client.submit(agent.id, 'x')).id);
  expect(stack.fleet.newest.files).toEqual(['b']);
  await call('DELETE', `/v1/agents/${agent.id}`, undefined, 202);
  await client.becomes(agent.id, 'terminated');
  await stack.advance(120);
});

useCase('work is cancelled, expires, fails, and is tried again', async () => {
  const agent = await client.createAgent('echo');
  stack.fleet.program = never;
  const running = await client.submit(agent.id, 'x');
  await client.reaches(running.id, 'running');
  const expiring = await client.submit(agent.id, 'y', { expiresInSeconds: 20 });
  stack.fleet.program = () => {
    throw new Error('no');
  };
  await call('POST', `/v1/tasks/${running.id}/cancel`, undefined, 202);
  await client.ended(running.id);
  await client.ended(expiring.id, 600);
  await call('POST', `/v1/tasks/${running.id}/retry`, undefined, 202);
  await stack.advance(30);
  await call('POST', `/v1/agents/${agent.id}/pause`, { force: true, hold: true }, 202);
  await client.becomes(agent.id, 'paused', 300);
  await call('POST', `/v1/agents/${agent.id}/resume`, undefined, 202);
  await stack.advance(600);
});

useCase('an agent tells another one, which waits for work', async () => {
  const [teller, listener] = [await client.createAgent('echo'), await client.createAgent('echo', { start: true })];
  await client.becomes(listener.id, 'running');
  stack.fleet.program = async (task, shim) => {
    if (!task.message) await sendFrom(shim, task, 1, { to: listener.id, body: 'x' });
  };
  await client.ended((await client.submit(teller.id, 'go')).id);
  await stack.advance(5);
  const { items } = await call<{ items: TaskResource[] }>('GET', `/v1/agents/${listener.id}/messages`);
  expect(items).toMatchObject([{ status: 'succeeded' }]);
});

useCase('a reader waits, and finishes what a function left', async () => {
  const agent = await client.createAgent('echo');
  stack.fleet.program = () => 'done';
  const task = await client.submit(agent.id, 'x');
  let read: Promise<void> | undefined;
  stack.meanwhile = ({ function: name, request }) => {
    if (
      read ||
      name !== 'runtime' ||
      !isCall(request, 'UpdateItem') ||
      !Buffer.from(request.body).includes('finalVersion')
    )
      return undefined;
    read = client.task(task.id).then((found) => expect(found).toMatchObject({ status: 'succeeded' }));
    return read;
  };
  const waiting = call<TaskResource>('GET', `/v1/tasks/${task.id}?waitSeconds=5`);
  await stack.advance(5);
  expect(await waiting).toMatchObject({ status: 'succeeded' });
  expect(read).toBeDefined();
  stack.meanwhile = undefined;
  await client.becomes(agent.id, 'paused');
});

useCase('agents have roles, images and secrets of their own', async () => {
  const arn = (service: string, rest: string) => `arn:aws:${service}:${stack.aws.region}:000000000000:${rest}`;
  const { ssm, secretsManager } = stack.aws;
  const KeyId = stack.functionNamed('sweep').environment.ROUSE_KMS_KEY_ARN || undefined;
  await ssm.call('PutParameter', { Name: '/rouse-agent/p', Value: 'x', Type: 'SecureString', KeyId });
  const secret = await secretsManager.call('CreateSecret', {
    Name: '/rouse-agent/s',
    SecretString: 'y',
    KmsKeyId: KeyId,
  });
  await client.putTemplate('own', {
    idleTimeoutSeconds: 60,
    image: `000000000000.dkr.ecr.${stack.aws.region}.amazonaws.com/rouse-agent/own:1`,
    taskRoleArn: 'arn:aws:iam::000000000000:role/rouse-agent/own',
    secrets: { P: arn('ssm', 'parameter/rouse-agent/p'), S: (secret as { ARN: string }).ARN },
  });
  stack.fleet.onStart = (shim) => {
    // The container that only copies the shim.
    if (shim.runtimeId === '') shim.die(0);
    return shim.alive;
  };
  const agent = await client.createAgent('own', { start: true });
  await client.becomes(agent.id, 'running');
  expect(stack.fleet.newest).toMatchObject({ environment: { P: 'x', S: 'y' } });
  await client.becomes(agent.id, 'paused');
});

useCase('runtimes die, fall silent, and are not to be found', async () => {
  stack.fleet.program = never;
  const agent = await client.createAgent('echo');
  const task = await client.submit(agent.id, 'x');
  const runtime = () => stack.fleet.living.find(({ agentId }) => agentId === agent.id);
  await client.reaches(task.id, 'running');
  runtime()?.die(137);
  await stack.until(() => runtime() !== undefined, 60, 'a new runtime');
  await client.reaches(task.id, 'running');
  const silent = runtime()!;
  silent.mute = true;
  stack.fleet.program = () => 'done';
  await client.ended(task.id, 900);
  expect(silent.alive).toBe(false);
});

useCase('launches are refused, and their answers get lost', async () => {
  const agent = await client.createAgent('echo');
  let refusals = 1;
  stack.aws.ecs.launchFailure = () => (refusals-- > 0 ? { arn: 'x', reason: 'RESOURCE:ENI' } : undefined);
  await client.ended((await client.submit(agent.id, 'x')).id, 300);
  await client.becomes(agent.id, 'paused', 300);
  stack.aws.ecs.launchFailure = undefined;

  let losses = 0;
  let tolerable = 1;
  stack.crash = ({ request }) => {
    const isLost = isCall(request, 'RunTask') && Buffer.from(request.body).includes(agent.id) && losses < tolerable;
    losses += isLost ? 1 : 0;
    return isLost ? 'after' : undefined;
  };
  await client.ended((await client.submit(agent.id, 'x')).id, 300);
  expect(losses).toBe(1);
  await client.becomes(agent.id, 'paused', 300);
  tolerable = Number.POSITIVE_INFINITY;
  stack.fleet.onStart = () => false;
  const hear = stack.aws.faults.addDelivery(({ source }) => (source === 'events' ? { copies: 0 } : undefined));
  const task = await client.submit(agent.id, 'x');
  await stack.advance(400);
  hear();
  stack.fleet.onStart = () => true;
  stack.crash = undefined;
  await client.ended(task.id, 900);
});

useCase('a run keeps large values, and joins the outputs of its items', async () => {
  const agent = await client.createAgent('echo');
  const upload = await call<{ ref: string; url: string }>('POST', '/v1/uploads', {}, 201);
  await follow(upload.url, 'PUT', large);
  const steps = [
    { id: 'ref', agent: agent.id, input: { $ref: upload.ref } },
    { id: 'big', agent: agent.id, input: '{% $run.input.text %}' },
    { id: 'each', agent: agent.id, needs: ['big'], forEach: '{% [1..3].($$.$steps.big.output & $string($)) %}' },
    { id: 'fresh', template: 'echo', needs: ['each'], input: 'x' },
  ];
  await call('PUT', '/v1/workflows/large', { steps, output: '{% $steps.each.output %}' }, 201);
  stack.fleet.program = (task) => task.input ?? large;
  const run = await call<{ id: string; inputUrl: string }>(
    'POST',
    '/v1/workflows/large/runs',
    { input: { text: large } },
    202,
  );
  expect(await follow(run.inputUrl)).toBe(200);
  const isOver = async () => (await call('GET', `/v1/runs/${run.id}`)).status !== 'running';
  await stack.until(isOver, 300, 'the end of the run');
  const ended = await call<{ status: string; error: unknown; outputUrl: string }>('GET', `/v1/runs/${run.id}`);
  expect(ended).toMatchObject({ status: 'succeeded', error: null });
  expect(await follow(ended.outputUrl)).toBe(200);
  await call('DELETE', '/v1/workflows/large', undefined, 204);
  await stack.advance(300);
});

useCase('what failed too often is found again', async () => {
  const agent = await client.createAgent('echo');
  const sqs = new SQSClient({
    region: stack.aws.region,
    credentials: localAdministrator,
    requestHandler: stack.aws.requestHandler(),
  });
  const [fifo, standard] = stack.functionNamed('sweep').environment.ROUSE_DEAD_LETTER_QUEUE_URLS!.split(',');
  const MessageBody = JSON.stringify({ tenant: 'default', kind: 'agent', id: agent.id });
  await sqs.send(
    new SendMessageCommand({ QueueUrl: fifo, MessageBody, MessageGroupId: 'a', MessageDeduplicationId: 'a' }),
  );
  await sqs.send(new SendMessageCommand({ QueueUrl: standard, MessageBody }));
  await stack.advance(120);

  const mend = stack.aws.faults.add(({ service, operation, principal }) =>
    service === 'dynamodb' && operation === 'PutItem' && principal?.includes('/record')
      ? { kind: 'error', code: 'ValidationException', status: 400 }
      : undefined,
  );
  const task = await client.submit(agent.id, 'x');
  await client.ended(task.id);
  await stack.advance(900);
  mend();
  await stack.advance(600);
  expect(await client.types(agent.id)).toContain('task.succeeded');
});

useCase('schedules are made, fire, change, and go', async () => {
  const agent = await client.createAgent('echo');
  const put = (differs: Record<string, unknown> = {}) =>
    call('PUT', '/v1/schedules/s', {
      expression: 'rate(5 minutes)',
      target: { agentId: agent.id, task: { input: '{% $fire.lastOutput ?? "first" %}' } },
      ...differs,
    });
  stack.fleet.program = () => 'done';
  await put();
  await stack.advance(320);
  await put({ expression: 'rate(10 minutes)' });
  await call('GET', '/v1/schedules');
  await call('GET', '/v1/schedules/s/fires');
  await stack.advance(320);
  await call('POST', '/v1/schedules/s/trigger', { overlap: 'allow_all' }, 202);
  await call('POST', '/v1/schedules/s/pause');
  await call('POST', '/v1/schedules/s/resume');
  await stack.advance(700);
  const size = (bytes: number) => ({ template: 'echo', task: { input: `{% $pad('', ${bytes}, 'x') %}` } });
  await put({ target: size(70_000) });
  await stack.advance(700);
  const back = new Date(stack.clock.now() - 3_600_000).toISOString();
  const now = new Date(stack.clock.now()).toISOString();
  await call('POST', '/v1/schedules/s/backfill', { from: back, to: now, overlap: 'buffer_all' }, 202);
  await put({ overlap: 'buffer_all' });
  stack.fleet.program = never;
  for (let i = 0; i < 3; i++) await call('POST', '/v1/schedules/s/trigger', {}, 202);
  await stack.advance(60);
  await call('DELETE', '/v1/schedules/s', undefined, 204);
  await stack.advance(400);
});

useCase('a schedule has an uploaded input', async () => {
  const agent = await client.createAgent('echo');
  const upload = await call<{ ref: string; url: string }>('POST', '/v1/uploads', {}, 201);
  await follow(upload.url, 'PUT', large);
  const target = { agentId: agent.id, task: { input: { $ref: upload.ref } } };
  await call('PUT', '/v1/schedules/uploaded', { expression: 'rate(1 minute)', target });
  await stack.advance(70);
  const { items } = await call<{ items: { outcome: string }[] }>('GET', '/v1/schedules/uploaded/fires');
  expect(items).toMatchObject([{ outcome: 'started' }]);
});

useCase('an output of any size is handed on to the next fire', async () => {
  const agent = await client.createAgent('echo');
  stack.fleet.program = never;
  const target = {
    agentId: agent.id,
    task: { input: '{% $fire.lastOutput = null ? "first" : $length($fire.lastOutput) %}' },
  };
  await call('PUT', '/v1/schedules/handing', { expression: 'rate(1 hour)', target });
  const fire = await call<{ taskId: string }>('POST', '/v1/schedules/handing/trigger', {}, 202);
  await client.reaches(fire.taskId, 'running');
  const adversary = new Adversary(stack, stack.fleet.newest);
  const grip = { fence: 1, place: String(timeOf(fire.taskId)) };
  vi.setSystemTime(stack.clock.now());
  const output = await adversary.call(`outputs/${fire.taskId}`, { ...grip, bytes: large.length });
  await follow(String(output.body.url), 'PUT', large);
  const outputRef = { key: output.body.key, bytes: large.length };
  await adversary.call(`tasks/${fire.taskId}/complete`, { ...grip, outputRef, usage, slots: 0 });
  await stack.advance(3700);
  const { items } = await call<{ items: { input: unknown; status: string; id: string }[] }>(
    'GET',
    `/v1/agents/${agent.id}/tasks`,
  );
  expect(await client.task(items[0]!.id)).toMatchObject({ input: large.length });
});
