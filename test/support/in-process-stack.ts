import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import {
  DeleteObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import * as api from '../../lambdas/api.ts';
import { type FunctionDeps, makeDeps, type World } from '../../lambdas/deps.ts';
import * as dispatch from '../../lambdas/dispatch.ts';
import * as launch from '../../lambdas/launch.ts';
import * as record from '../../lambdas/record.ts';
import * as runtime from '../../lambdas/runtime.ts';
import * as sweep from '../../lambdas/sweep.ts';
import * as taskEvents from '../../lambdas/task-events.ts';
import * as timers from '../../lambdas/timers.ts';
import * as trigger from '../../lambdas/trigger.ts';
import * as wait from '../../lambdas/wait.ts';
import { ManualClock } from '../../local/clock.ts';
import { localAdministrator } from '../../local/credentials.ts';
import type { CloudAssembly } from '../../local/deploy/assembly.ts';
import { EmbeddedAws, type EmbeddedAwsOptions } from '../../local/embedded-aws.ts';
import type { WireRequest, WireResponse } from '../../local/service.ts';
import type { FunctionDefinition } from '../../local/services/lambda/function.ts';
import type { InProcessHandler } from '../../local/services/lambda/in-process-runner.ts';
import { ClockRetryStrategy } from './clock-retry-strategy.ts';
import { lean, leanOptions, type SessionCredentials } from './lean-sdk.ts';
import { SimulatedFleet } from './simulated-fleet.ts';

// biome-ignore lint/suspicious/noExplicitAny: each function has its own event
type AnyHandler = (event: any) => Promise<unknown>;

const makers: Record<string, (deps: FunctionDeps) => AnyHandler> = {
  api: api.makeHandler,
  wait: wait.makeHandler,
  runtime: runtime.makeHandler,
  dispatch: dispatch.makeHandler,
  launch: launch.makeHandler,
  record: record.makeHandler,
  sweep: sweep.makeHandler,
  timers: timers.makeHandler,
  trigger: trigger.makeHandler,
  'task-events': taskEvents.makeHandler,
};

/** AWS calls that leave everything as it is. */
const reading = /^(Get|BatchGet|Head|List|Describe|Query|AssumeRole)/;

/** AWS replaces the environment of a function every few hours, before its credentials end. */
const longestProcessMs = 6 * 3_600_000;

/** As the composition root has it (`lambdas/deps.ts`). */
const sdkAttempts = 4;

/** Lambda renews a function's credentials before their end. */
const renewEarlyMs = 600_000;

/** One AWS call that a function is about to make. */
export interface FunctionCall {
  /** Name of the function, such as `dispatch`. */
  function: string;
  request: WireRequest;
}

/** Ends the invocation that makes a call, as if its process had died: before the call, or after it took effect. */
export type Crash = (call: FunctionCall) => 'before' | 'after' | undefined;

export interface StackOptions extends Pick<EmbeddedAwsOptions, 'taskDelays' | 'streamRetentionMs' | 'tableThroughput'> {
  seed?: string;
  /** @default a clock of its own */
  clock?: ManualClock;
  /** Variables that every function gets instead of the template's. */
  env?: Record<string, string>;
  /** How far a function's clock is ahead of AWS's. @default 0 */
  skewMs?: (functionName: string) => number;
}

/** One run of a function, which its process may not survive. */
interface Invocation {
  name: string;
  event: unknown;
  deadlineMs: number;
  dead: boolean;
  /** Its AWS calls that have begun and not ended. */
  underWay: number;
  die(): void;
}

/** The deployed stack in this process: real handlers, real SDK clients, a clock that a test moves, simulated shims. */
export class InProcessStack {
  readonly clock: ManualClock;
  readonly aws: EmbeddedAws;
  readonly fleet: SimulatedFleet;
  /** Lines that the functions logged. */
  readonly logs: string[] = [];
  /** Asked before each AWS call of a function. */
  crash: Crash | undefined;
  /** Awaited before each AWS call of a function: what else happens in that moment. */
  meanwhile: ((call: FunctionCall) => Promise<void> | undefined) | undefined;
  /** Told of each request to the HTTP API, whoever makes it. */
  onRequest: ((method: string, path: string) => void) | undefined;
  key = '';
  /** How many calls so far may have changed something. */
  private writes = 0;
  private readonly invocation = new AsyncLocalStorage<Invocation>();
  private randomCounter = 0;
  private readonly seed: string;
  private env: Record<string, string>;
  /** How often the functions were configured anew: each then starts another process. */
  private configured = 0;
  private readonly skewMs: (functionName: string) => number;

  /** @param assembly the synthesized cloud assembly, or its folder */
  static async start(assembly: string | CloudAssembly, options: StackOptions = {}): Promise<InProcessStack> {
    const clock = options.clock ?? new ManualClock();
    let stack: InProcessStack | undefined;
    const fleet = new SimulatedFleet(() => stack!);
    const aws = await EmbeddedAws.create({
      clock,
      functions: (definition) => stack!.handlerOf(definition),
      containers: (task, container) => fleet.run(task, container),
      log: (line) => stack?.logs.push(line),
      ...(options.taskDelays ? { taskDelays: options.taskDelays } : {}),
      ...(options.streamRetentionMs ? { streamRetentionMs: options.streamRetentionMs } : {}),
      ...(options.tableThroughput ? { tableThroughput: options.tableThroughput } : {}),
    });
    stack = new InProcessStack(aws, clock, fleet, options);
    await aws.deploy(assembly);
    await stack.sweep();
    stack.key = aws.ssm.value('/rouse/admin-key') ?? '';
    return stack;
  }

  private constructor(aws: EmbeddedAws, clock: ManualClock, fleet: SimulatedFleet, options: StackOptions) {
    this.aws = aws;
    aws.observe(({ operation }) => {
      if (!reading.test(operation)) this.writes += 1;
    });
    this.clock = clock;
    this.fleet = fleet;
    this.seed = options.seed ?? 'seed';
    this.env = options.env ?? {};
    this.skewMs = options.skewMs ?? (() => 0);
  }

  /** Runs the one-minute sweep now. */
  async sweep(): Promise<void> {
    const definition = this.functionNamed('sweep');
    await this.aws.lambda.invoke(definition.arn, '{}');
    await this.aws.settled();
  }

  /** Moves the clock; whatever follows is done when it returns. */
  async advance(seconds: number): Promise<void> {
    await this.aws.advance(seconds * 1000);
  }

  /**
   * Moves the clock a second at a time until `isDone`, for at most `limitSeconds`. An `isDone` that asks AWS is asked
   * again only when something was written since.
   */
  async until(isDone: () => boolean | Promise<boolean>, limitSeconds: number, what = 'it'): Promise<number> {
    await this.aws.settled();
    let seen = -1;
    for (let second = 0; second <= limitSeconds; second++) {
      // A look by way of the API costs as much as what it looks at, and finds nothing new where nothing was written.
      if (seen !== this.writes) {
        const before = this.writes;
        const answer = isDone();
        if (await answer) return second;
        if (answer instanceof Promise) seen = before;
      }
      // What waits for what was refused would wait in vain.
      this.throwIfRefused();
      await this.advance(1);
    }
    throw new Error(`${what} did not happen within ${limitSeconds} s.`);
  }

  /** One call of the HTTP API with the admin key. @throws Error for other statuses than `expected` (default: any 2xx) */
  async call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    expected?: number,
    headers: Record<string, string> = {},
  ): Promise<T> {
    const answer = await this.request(method, path, body, headers);
    const { status } = answer;
    if (expected === undefined ? status >= 300 : status !== expected) {
      throw new Error(
        `${method} ${path} answered ${status}: ${JSON.stringify(answer.body)}\n${this.logs
          .filter((line) => line.includes('ERROR'))
          .slice(-3)
          .join('\n')}`,
      );
    }
    return answer.body as T;
  }

  async request(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const answer = await this.send({
      method,
      path,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    });
    const text = typeof answer.body === 'string' ? answer.body : Buffer.from(answer.body).toString();
    return { status: answer.status, headers: answer.headers, body: text === '' ? undefined : JSON.parse(text) };
  }

  send(request: Parameters<EmbeddedAws['request']>[0]): ReturnType<EmbeddedAws['request']> {
    this.onRequest?.(request.method, request.path);
    return this.aws.request(request);
  }

  /** Deploys the functions with other variables. What runs goes on as it was. */
  configure(env: Record<string, string>): void {
    this.env = { ...this.env, ...env };
    this.configured += 1;
  }

  /** What a function works with: its stores and queues, with its own grants. */
  depsOf(name: string): FunctionDeps {
    return makeDeps(name, this.worldOf(this.functionNamed(name), name));
  }

  /** Bells that there are. */
  async bells(): Promise<string[]> {
    const client = new SQSClient({
      region: this.aws.region,
      credentials: localAdministrator,
      requestHandler: this.aws.requestHandler(),
    });
    const answer = await client.send(new ListQueuesCommand({ QueueNamePrefix: 'rouse-bell-' }));
    return answer.QueueUrls ?? [];
  }

  /** Keys in the bucket. */
  async objects(prefix: string): Promise<string[]> {
    const answer = await this.s3.send(new ListObjectsV2Command({ Bucket: this.bucket, Prefix: prefix }));
    return (answer.Contents ?? []).map(({ Key }) => Key!);
  }

  async sizeOf(Key: string): Promise<number | undefined> {
    return (await this.s3.send(new HeadObjectCommand({ Bucket: this.bucket, Key }))).ContentLength;
  }

  /** Puts an object behind everybody's back; without a body it is deleted. */
  async damage(Key: string, Body?: string | Uint8Array): Promise<void> {
    const Bucket = this.bucket;
    await (Body === undefined
      ? this.s3.send(new DeleteObjectCommand({ Bucket, Key }))
      : this.s3.send(new PutObjectCommand({ Bucket, Key, Body })));
  }

  private get bucket(): string {
    return this.aws.deployment!.outputs.Bucket!;
  }

  private get s3(): S3Client {
    return new S3Client({
      region: this.aws.region,
      credentials: localAdministrator,
      requestHandler: this.aws.requestHandler(),
      forcePathStyle: true,
    });
  }

  /** The invocation in which the code that asks runs, if it is a function's. */
  get running(): Readonly<Pick<Invocation, 'name' | 'event' | 'underWay'>> | undefined {
    return this.invocation.getStore();
  }

  functionNamed(name: string): FunctionDefinition {
    const found = this.aws.lambda.definitions().find((definition) => nameOf(definition) === name);
    if (!found) throw new Error(`No function is named ${name}.`);
    return found;
  }

  /** @throws Error when IAM refused a call: whoever made it may have swallowed the error. */
  async close(): Promise<void> {
    await this.aws.close();
    this.throwIfRefused();
  }

  private throwIfRefused(): void {
    const [refusal] = this.aws.iam.refusals;
    if (refusal) throw new Error(`A grant is missing: ${refusal}`);
  }

  private handlerOf(definition: FunctionDefinition): InProcessHandler {
    const name = nameOf(definition);
    let process: AnyHandler | undefined;
    let bornMs = 0;
    let configured = 0;
    return (event, context) =>
      new Promise((resolve, reject) => {
        if (this.clock.now() - bornMs > longestProcessMs || configured !== this.configured) process = undefined;
        if (!process) bornMs = this.clock.now();
        configured = this.configured;
        process ??= makers[name]!(makeDeps(name, this.worldOf(definition, name)));
        const die = () => {
          invocation.dead = true;
          // The next one starts a process that remembers nothing.
          process = undefined;
          reject(new Error(`The process of ${name} died.`));
        };
        const deadlineMs = this.clock.now() + context.getRemainingTimeInMillis();
        const invocation: Invocation = { name, event, deadlineMs, dead: false, underWay: 0, die };
        const handler = process;
        this.invocation.run(invocation, () => handler(event).then(resolve, reject));
      });
  }

  private worldOf(definition: FunctionDefinition, name: string): World {
    const { aws } = this;
    const session = this.sessionOf(definition, name);
    return {
      env: { ...definition.environment, ...this.env, AWS_REGION: aws.region },
      client: {
        ...leanOptions(session),
        requestHandler: aws.requestHandler((exchange, request) => this.exchange(exchange, { function: name, request })),
        retryStrategy: new ClockRetryStrategy(
          sdkAttempts,
          (ms) => aws.lambda.sleep(ms),
          () => Buffer.from(this.random(4)).readUInt32BE() / 2 ** 32,
        ),
        // The stack's clock is not the machine's.
        systemClockOffset: this.clock.now() - Date.now(),
      },
      adapt: (client) => lean(client, session),
      now: () => this.clock.now() + this.skewMs(name),
      sleep: (ms) => aws.lambda.sleep(ms),
      random: (length) => this.random(length),
      post: async (url, headers, body) => {
        const answer = await aws.handle({
          method: 'POST',
          path: new URL(url).pathname,
          query: {},
          rawQuery: '',
          headers,
          body: Buffer.from(body),
        });
        return { status: answer.status, body: Buffer.from(answer.body).toString() };
      },
      write: (line) => this.logs.push(line),
    };
  }

  /** Credentials of a function's role, renewed before they expire. */
  private sessionOf({ roleArn }: FunctionDefinition, name: string): () => Promise<SessionCredentials> {
    let session: ReturnType<EmbeddedAws['roleCredentials']> | undefined;
    return async () => {
      if (!session || session.expiration.getTime() <= this.clock.now() + renewEarlyMs)
        session = this.aws.roleCredentials(roleArn, name);
      return session;
    };
  }

  private async exchange(exchange: () => Promise<WireResponse>, call: FunctionCall): Promise<WireResponse> {
    const invocation = this.invocation.getStore();
    if (isOver(invocation, this.clock)) return never();
    await this.meanwhile?.(call);
    const fate = this.crash?.(call);
    if (fate === undefined) {
      if (invocation) invocation.underWay += 1;
      const answer = await exchange().finally(() => {
        if (invocation) invocation.underWay -= 1;
      });
      return isOver(invocation, this.clock) ? never() : answer;
    }
    if (fate === 'after') await exchange();
    invocation?.die();
    return never();
  }

  /** Bytes that depend on nothing but the seed and how many were asked for before. */
  private random(length: number): Uint8Array {
    const chunks: Buffer[] = [];
    for (let bytes = 0; bytes < length; bytes += 32) {
      chunks.push(
        createHash('sha256')
          .update(`${this.seed}/${this.randomCounter++}`)
          .digest(),
      );
    }
    return Buffer.concat(chunks).subarray(0, length);
  }
}

/** Its process has died, or was ended by Lambda when its time was up. */
function isOver(invocation: Invocation | undefined, clock: ManualClock): boolean {
  return invocation !== undefined && (invocation.dead || clock.now() >= invocation.deadlineMs);
}

/** A dead process waits for nothing and does nothing more. */
function never(): Promise<WireResponse> {
  return new Promise(() => {});
}

/** `DispatchFunction1A2B` → `dispatch`: by the names that the entries have. */
function nameOf(definition: FunctionDefinition): string {
  const plain = definition.logicalId.toLowerCase();
  const names = Object.keys(makers).sort((a, b) => b.length - a.length);
  const name = names.find((candidate) => plain.includes(candidate.replace('-', '')));
  if (!name) throw new Error(`The function ${definition.logicalId} is none that the tests know.`);
  return name;
}
