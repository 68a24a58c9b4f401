import { existsSync } from 'node:fs';
import { devNull } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { LineSplitter } from '../../line-splitter.ts';
import {
  errorResult,
  type FunctionDefinition,
  type FunctionRunner,
  type Invocation,
  type InvocationResult,
} from './function.ts';

/** Invocations that one thread serves at once. AWS gives each its own sandbox, but handlers only wait for the network, and a thread for each waiting request would be too heavy for a laptop. */
const invocationsPerWorker = 20;
const credentialMarginMs = 15 * 60_000;

export interface BundleRunnerOptions {
  region: string;
  endpoint(): string | undefined;
  now(): number;
  /** Fresh credentials of the function's role. */
  credentials(): { accessKeyId: string; secretAccessKey: string; sessionToken: string; expiresAtMs: number };
  output(stream: string, lines: string[]): void;
}

interface Slot {
  worker: Worker;
  stream: string;
  waiting: Map<string, (result: InvocationResult) => void>;
  /** Takes no more invocations and ends when the last is answered. */
  retired: boolean;
  credentialsExpireAtMs: number;
}

/** Runs a function's bundle in worker threads of its own, started on first use. */
export class BundleRunner implements FunctionRunner {
  private readonly definition: FunctionDefinition;
  private readonly options: BundleRunnerOptions;
  private readonly slots = new Set<Slot>();
  private started = 0;

  constructor(definition: FunctionDefinition, options: BundleRunnerOptions) {
    this.definition = definition;
    this.options = options;
  }

  invoke(invocation: Invocation): Promise<InvocationResult> {
    const slot = this.freeSlot();
    const renew = this.options.now() > slot.credentialsExpireAtMs - credentialMarginMs;
    const credentials = renew ? this.credentialVariables(slot) : undefined;
    return new Promise((resolve) => {
      slot.waiting.set(invocation.requestId, resolve);
      slot.worker.postMessage({ ...invocation, credentials });
    });
  }

  /** AWS kills the sandbox of a timed out call; here its thread ends as soon as the others that it serves are answered. */
  abandon(requestId: string): void {
    for (const slot of this.slots) {
      if (!slot.waiting.delete(requestId)) continue;
      slot.retired = true;
      this.endIfIdle(slot);
    }
  }

  async close(): Promise<void> {
    const ending = [...this.slots].map((slot) => slot.worker.terminate());
    await Promise.all(ending);
  }

  private freeSlot(): Slot {
    for (const slot of this.slots) {
      if (!slot.retired && slot.waiting.size < invocationsPerWorker) return slot;
    }
    const slot = this.start();
    this.slots.add(slot);
    return slot;
  }

  private start(): Slot {
    const { definition } = this;
    const [file = '', exportName = ''] = definition.handler.split('.');
    this.started += 1;
    const stream = `worker-${this.started}`;
    const slot: Slot = {
      worker: undefined as unknown as Worker,
      stream,
      waiting: new Map(),
      retired: false,
      credentialsExpireAtMs: 0,
    };
    slot.worker = new Worker(new URL('./worker.mjs', import.meta.url), {
      name: definition.name,
      env: {
        ...this.machineVariables(),
        ...definition.environment,
        ...this.lambdaVariables(stream),
        ...this.credentialVariables(slot),
      },
      workerData: {
        moduleUrl: pathToFileURL(modulePath(definition.codeFolder, file)).href,
        exportName,
        context: {
          functionName: definition.name,
          functionVersion: '$LATEST',
          invokedFunctionArn: definition.arn,
          memoryLimitInMB: String(definition.memoryMiB),
          logGroupName: definition.logGroup,
          logStreamName: stream,
          callbackWaitsForEmptyEventLoop: false,
        },
      },
      resourceLimits: { maxOldGenerationSizeMb: definition.memoryMiB },
      execArgv: [],
      stdout: true,
      stderr: true,
    });
    this.watch(slot);
    return slot;
  }

  private watch(slot: Slot): void {
    const { worker, waiting } = slot;
    const output = new LineSplitter((lines) => this.options.output(slot.stream, lines));
    worker.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    worker.stderr.on('data', (chunk: Buffer) => output.push(chunk));
    worker.on('message', ({ requestId, ...result }: InvocationResult & { requestId: string }) => {
      const resolve = waiting.get(requestId);
      waiting.delete(requestId);
      resolve?.(result);
      this.endIfIdle(slot);
    });
    let cause = '';
    worker.on('error', (error) => {
      cause = error instanceof Error ? error.message : String(error);
    });
    worker.on('exit', (code) => {
      this.slots.delete(slot);
      const message = `RequestId: the function's thread ended${cause ? `: ${cause}` : ` with exit code ${code}`}`;
      for (const resolve of waiting.values()) resolve(errorResult('Runtime.ExitError', message));
      waiting.clear();
    });
  }

  private endIfIdle(slot: Slot): void {
    if (slot.retired && slot.waiting.size === 0) void slot.worker.terminate();
  }

  private machineVariables(): Record<string, string> {
    // Without these two the SDK would read the AWS profile of whoever runs the local stack.
    const noProfile = { AWS_CONFIG_FILE: devNull, AWS_SHARED_CREDENTIALS_FILE: devNull };
    return { PATH: process.env.PATH ?? '', LANG: 'en_US.UTF-8', TZ: ':UTC', ...noProfile };
  }

  private lambdaVariables(stream: string): Record<string, string> {
    const { definition, options } = this;
    const endpoint = options.endpoint();
    return {
      AWS_REGION: options.region,
      AWS_DEFAULT_REGION: options.region,
      ...(endpoint ? { AWS_ENDPOINT_URL: endpoint } : {}),
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      AWS_LAMBDA_FUNCTION_NAME: definition.name,
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(definition.memoryMiB),
      AWS_LAMBDA_LOG_GROUP_NAME: definition.logGroup,
      AWS_LAMBDA_LOG_STREAM_NAME: stream,
      LAMBDA_TASK_ROOT: definition.codeFolder,
      _HANDLER: definition.handler,
    };
  }

  /** With an expiration the SDK asks the environment again in time, so that a thread may outlive its credentials. */
  private credentialVariables(slot: Slot): Record<string, string> {
    const credentials = this.options.credentials();
    slot.credentialsExpireAtMs = credentials.expiresAtMs;
    return {
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_SESSION_TOKEN: credentials.sessionToken,
      AWS_CREDENTIAL_EXPIRATION: new Date(credentials.expiresAtMs).toISOString(),
    };
  }
}

function modulePath(folder: string, file: string): string {
  for (const extension of ['.mjs', '.js', '.cjs']) {
    const path = join(folder, file + extension);
    if (existsSync(path)) return path;
  }
  throw new Error(`The bundle ${folder} has no ${file}.mjs, ${file}.js or ${file}.cjs.`);
}
