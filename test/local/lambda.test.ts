import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RealClock } from '../../local/clock.ts';
import { BundleRunner } from '../../local/services/lambda/bundle-runner.ts';
import type { FunctionDefinition } from '../../local/services/lambda/function.ts';
import { type InProcessHandler, InProcessRunner } from '../../local/services/lambda/in-process-runner.ts';
import { LambdaService } from '../../local/services/lambda/service.ts';
import { makeEnvironment } from '../support/embedded.ts';

function definition(more: Partial<FunctionDefinition> = {}): FunctionDefinition {
  return {
    logicalId: 'Fn',
    name: 'fn',
    arn: 'arn:aws:lambda:us-east-1:000000000000:function:fn',
    roleArn: 'arn:aws:iam::000000000000:role/fn',
    codeFolder: '',
    handler: 'index.handler',
    environment: {},
    timeoutSeconds: 3,
    memoryMiB: 128,
    logGroup: '/aws/lambda/fn',
    ...more,
  };
}

async function inProcess(handler: InProcessHandler, more: Partial<FunctionDefinition> = {}) {
  const environment = makeEnvironment();
  const fn = definition(more);
  const lambda = new LambdaService(environment, (one) => new InProcessRunner(one, handler, environment.clock));
  await lambda.define(fn);
  const advance = async (ms: number) => {
    const until = environment.clock.now() + ms;
    await environment.activity.settled();
    while (environment.clock.step(until)) await environment.activity.settled();
  };
  return { environment, lambda, arn: fn.arn, advance };
}

describe('invoking a function in this process', () => {
  it('passes event and context and gives the answer as JSON', async () => {
    const { lambda, arn } = await inProcess((event, context) => ({ event, name: context.functionName }));
    expect(JSON.parse((await lambda.invoke(arn, '{"a":1}')).payload)).toEqual({ event: { a: 1 }, name: 'fn' });
  });

  it('gives what was thrown as an error payload', async () => {
    const { lambda, arn } = await inProcess(() => {
      throw new TypeError('no such thing');
    });
    const result = await lambda.invoke(arn, '{}');
    expect(result.functionError).toBe('Unhandled');
    expect(JSON.parse(result.payload)).toMatchObject({ errorType: 'TypeError', errorMessage: 'no such thing' });
  });

  it('is over when the function fails, whatever a branch of it still waits for', async () => {
    const { environment, lambda, arn, advance } = await inProcess(() => {
      void lambda.sleep(1000);
      throw new Error('dead');
    });
    expect((await lambda.invoke(arn, '{}')).functionError).toBe('Unhandled');
    await advance(2000);
    const isQuiet = await Promise.race([
      environment.activity.settled().then(() => true),
      new Promise((resolve) => setTimeout(() => resolve(false), 500)),
    ]);
    expect(isQuiet).toBe(true);
  });

  it('answers that the task timed out when the time is over', async () => {
    const { lambda, arn, advance } = await inProcess(() => lambdaSleep(), { timeoutSeconds: 10 });
    const lambdaSleep = () => lambda.sleep(60_000);
    const result = lambda.invoke(arn, '{}');
    await advance(10_000);
    expect(JSON.parse((await result).payload).errorMessage).toContain('Task timed out after 10.00 seconds');
  });

  it('counts down the remaining time by the clock of the environment', async () => {
    const remaining: number[] = [];
    const { lambda, arn, advance } = await inProcess(async (_event, context) => {
      remaining.push(context.getRemainingTimeInMillis());
      await lambda.sleep(1000);
      remaining.push(context.getRemainingTimeInMillis());
    });
    const result = lambda.invoke(arn, '{}');
    await advance(1000);
    await result;
    expect(remaining).toEqual([3000, 2000]);
  });

  it('refuses invocations beyond the reserved concurrency, and holds those of event sources', async () => {
    const { lambda, arn, advance } = await inProcess(() => lambda.sleep(1000), { reservedConcurrency: 1 });
    const first = lambda.invoke(arn, '{}');
    await expect(lambda.invoke(arn, '{}')).rejects.toMatchObject({ code: 'TooManyRequestsException', status: 429 });
    const held = lambda.invokeWhenFree(arn, '{}');
    await advance(2000);
    expect((await first).functionError ?? (await held).functionError).toBeUndefined();
  });

  it('retries a failed asynchronous invocation after one and two minutes, then gives up', async () => {
    const times: number[] = [];
    const { lambda, arn, environment, advance } = await inProcess(() => {
      times.push(environment.clock.now());
      throw new Error('again');
    });
    lambda.invokeAsync(arn, '{}');
    await advance(3_600_000);
    expect(times.map((time) => time - times[0]!)).toEqual([0, 60_000, 180_000]);
  });

  it('fails by an injected fault before or after it has done its work', async () => {
    let calls = 0;
    const { lambda, arn, environment } = await inProcess(() => ++calls);
    const undo = environment.faults.add((call) => (call.service === 'lambda' ? { kind: 'drop' } : undefined));
    expect((await lambda.invoke(arn, '{}')).functionError).toBe('Unhandled');
    expect(calls).toBe(0);
    undo();
    environment.faults.add((call) => (call.service === 'lambda' ? { kind: 'drop', after: true } : undefined));
    expect((await lambda.invoke(arn, '{}')).functionError).toBe('Unhandled');
    expect(calls).toBe(1);
  });
});

describe('a bundle in its own thread', () => {
  let folder: string;
  const open: LambdaService[] = [];
  const output: string[] = [];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'rouse-lambda-'));
  });
  afterEach(async () => {
    for (const lambda of open.splice(0)) await lambda.close();
    output.length = 0;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function bundled(name: string, code: string, more: Partial<FunctionDefinition> = {}) {
    const codeFolder = join(folder, name);
    mkdirSync(codeFolder, { recursive: true });
    writeFileSync(join(codeFolder, 'index.mjs'), code);
    const environment = makeEnvironment({ clock: new RealClock() });
    const lambda = new LambdaService(
      environment,
      (one) =>
        new BundleRunner(one, {
          region: 'us-east-1',
          endpoint: () => 'http://127.0.0.1:1',
          now: () => environment.clock.now(),
          credentials: () => environment.credentials.issue(one.roleArn, one.name, 3600),
          output: (_stream, lines) => output.push(...lines),
        }),
    );
    open.push(lambda);
    const fn = definition({ codeFolder, ...more });
    await lambda.define(fn);
    const invoke = async (event: unknown = {}) => {
      const result = await lambda.invoke(fn.arn, JSON.stringify(event));
      return { ...result, value: JSON.parse(result.payload) };
    };
    return { lambda, invoke };
  }

  it('has its own environment with credentials of its role and none of ours', async () => {
    const { invoke } = await bundled('env', 'export const handler = async () => ({ ...process.env });', {
      environment: { OWN: 'yes' },
    });
    const { value } = await invoke();
    expect(value).toMatchObject({
      OWN: 'yes',
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
      AWS_LAMBDA_FUNCTION_NAME: 'fn',
      AWS_ACCESS_KEY_ID: expect.stringMatching(/^ASIA/),
    });
    expect(value.HOME).toBeUndefined();
  });

  it('keeps its module between invocations and captures what it prints', async () => {
    const code = 'let count = 0; export const handler = async () => { console.log("call", ++count); return count; };';
    const { invoke } = await bundled('state', code);
    await invoke();
    expect((await invoke()).value).toBe(2);
    await expect.poll(() => output).toEqual(['call 1', 'call 2']);
  });

  it('replaces a thread that has crashed', async () => {
    const code = 'export const handler = async (event) => { if (event.crash) process.exit(7); return "alive"; };';
    const { invoke } = await bundled('crash', code);
    const crashed = await invoke({ crash: true });
    expect(crashed.value).toMatchObject({
      errorType: 'Runtime.ExitError',
      errorMessage: expect.stringContaining('exit code 7'),
    });
    expect((await invoke()).value).toBe('alive');
  });

  it('replaces a thread that hangs beyond the time-out', async () => {
    const code = 'export const handler = async (event) => { while (event.hang); return "alive"; };';
    const { invoke } = await bundled('hang', code, { timeoutSeconds: 0.3 });
    expect((await invoke({ hang: true })).value.errorMessage).toContain('Task timed out after 0.30 seconds');
    expect((await invoke()).value).toBe('alive');
  });

  it('says which export is missing', async () => {
    const { invoke } = await bundled('missing', 'export const other = 1;');
    expect((await invoke()).value.errorMessage).toBe('handler is undefined or not exported');
  });
});
