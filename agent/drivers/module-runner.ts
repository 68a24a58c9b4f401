import { pathToFileURL } from 'node:url';
import type { Json, OutgoingMessage } from '../protocol.ts';
import type { FromRunner, ModuleContext, ModuleTask, Order, Sent } from './module-channel.ts';
import { parseSpent } from './spent.ts';

/** The child process of the module driver: takes one order, runs the module, says how it ended, and is gone. */
export function runModuleRunner(): void {
  if (process.env.ROUSE_NODE) process.execPath = process.env.ROUSE_NODE;
  const cancelled = new AbortController();
  process.on('SIGTERM', () => cancelled.abort(new Error('The task was told to stop.')));
  // Without its shim nobody would hear the answer.
  process.on('disconnect', () => process.exit(1));
  process.once('message', async (order: Order) => {
    const last = await perform(order, cancelled.signal);
    process.send?.(last, () => process.exit(0));
  });
}

async function perform(order: Order, signal: AbortSignal): Promise<FromRunner> {
  try {
    const module = (await import(pathToFileURL(order.path).href)) as { run?: unknown };
    if (typeof module.run !== 'function') {
      throw new Error(
        `The module ${order.path} has no export named "run". It needs: export async function run(task, ctx)`,
      );
    }
    const run = module.run as (task: ModuleTask, ctx: ModuleContext) => unknown;
    const outbox = new Outbox();
    const value = asJson(await run(order.task, contextOf(order, signal, outbox)));
    await outbox.settled();
    return { type: 'returned', value };
  } catch (error) {
    return failureOf(error);
  }
}

function contextOf(order: Order, signal: AbortSignal, outbox: Outbox): ModuleContext {
  return {
    ...order.context,
    taskId: order.task.id,
    signal,
    log: (line) => {
      for (const part of String(line).split('\n')) tell({ type: 'log', line: part });
    },
    progress: (value) => tell({ type: 'progress', value: checkProgress(asJson(value)) }),
    activity: (seconds) => tell({ type: 'activity', seconds: checkSeconds(seconds) }),
    send: async (message) => outbox.send(asJson(message) as unknown as OutgoingMessage),
    tokens: (given) => {
      const spent = parseSpent('ctx.tokens()', given);
      if (typeof spent === 'string') throw new Error(spent);
      tell({ type: 'tokens', spent });
    },
  };
}

/** The messages of a task, of each of which the shim says what became of it. */
class Outbox {
  private readonly waiting = new Map<number, (sent: Sent) => void>();
  private readonly sending = new Set<Promise<unknown>>();
  private sent = 0;

  constructor() {
    process.on('message', (answer: Sent) => {
      this.waiting.get(answer.n)?.(answer);
      this.waiting.delete(answer.n);
    });
  }

  send(message: OutgoingMessage): Promise<{ id: string }> {
    this.sent += 1;
    const n = this.sent;
    const answered = new Promise<{ id: string }>((resolve, reject) => {
      this.waiting.set(n, (sent) => ('id' in sent ? resolve({ id: sent.id }) : reject(new Error(sent.refused))));
    });
    this.sending.add(answered);
    tell({ type: 'send', n, message });
    return answered;
  }

  /** Settles when nothing is under way any more: a task does not end before its messages are sent. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.sending);
  }
}

const tell = (message: FromRunner) => void process.send?.(message);

/** The API takes no more, and would refuse the log lines that travel with it. */
const mostProgressBytes = 4096;

function checkSeconds(value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= 86_400) return value;
  throw new Error(`ctx.activity() was given ${String(value)}; a number from 0 to 86400 is allowed.`);
}

function checkProgress(value: Json): Json {
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes <= mostProgressBytes) return value;
  throw new Error(`ctx.progress() was given ${bytes} bytes of JSON; at most ${mostProgressBytes} are allowed.`);
}

/** `undefined` becomes null; what JSON can't say (a cycle, a bigint) throws a sentence. */
function asJson(value: unknown): Json {
  try {
    return JSON.parse(JSON.stringify(value ?? null) ?? 'null');
  } catch (error) {
    throw new Error(`The module gave a value that is not JSON: ${(error as Error).message}`);
  }
}

function failureOf(error: unknown): FromRunner {
  const { code, retryAfterSeconds } = (error ?? {}) as { code?: unknown; retryAfterSeconds?: unknown };
  console.error(error instanceof Error ? error.stack : error);
  return {
    type: 'threw',
    message: (error instanceof Error && error.message) || String(error),
    ...(typeof code === 'string' && /^[a-z][a-z0-9_]{0,62}$/.test(code) ? { code } : {}),
    ...(typeof retryAfterSeconds === 'number' && retryAfterSeconds >= 0
      ? { retryAfterSeconds: Math.min(retryAfterSeconds, 86_400) }
      : {}),
  };
}
