import { pathToFileURL } from 'node:url';
import type { Json } from '../protocol.ts';
import type { FromRunner, ModuleContext, ModuleTask, ToRunner } from './module-channel.ts';

/** The child process of the module driver: takes one order, runs the module, says how it ended, and is gone. */
export function runModuleRunner(): void {
  if (process.env.ROUSE_NODE) process.execPath = process.env.ROUSE_NODE;
  const cancelled = new AbortController();
  process.on('SIGTERM', () => cancelled.abort(new Error('The task was told to stop.')));
  // Without its shim nobody would hear the answer.
  process.on('disconnect', () => process.exit(1));
  process.once('message', async (order: ToRunner) => {
    const last = await perform(order, cancelled.signal);
    process.send?.(last, () => process.exit(0));
  });
}

async function perform(order: ToRunner, signal: AbortSignal): Promise<FromRunner> {
  try {
    const module = (await import(pathToFileURL(order.path).href)) as { run?: unknown };
    if (typeof module.run !== 'function') {
      throw new Error(
        `The module ${order.path} has no export named "run". It needs: export async function run(task, ctx)`,
      );
    }
    const run = module.run as (task: ModuleTask, ctx: ModuleContext) => unknown;
    return { type: 'returned', value: asJson(await run(order.task, contextOf(order, signal))) };
  } catch (error) {
    return failureOf(error);
  }
}

function contextOf(order: ToRunner, signal: AbortSignal): ModuleContext {
  const tell = (message: FromRunner) => void process.send?.(message);
  return {
    ...order.context,
    taskId: order.task.id,
    signal,
    log: (line) => {
      for (const part of String(line).split('\n')) tell({ type: 'log', line: part });
    },
    progress: (value) => tell({ type: 'progress', value: asJson(value) }),
    activity: (seconds) => tell({ type: 'activity', seconds: Number(seconds) }),
    tokens: ({ input = 0, output = 0 }) => tell({ type: 'tokens', input, output }),
  };
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
    ...(typeof code === 'string' && /^[a-z][a-z0-9_]{0,63}$/.test(code) ? { code } : {}),
    ...(typeof retryAfterSeconds === 'number' && retryAfterSeconds >= 0 ? { retryAfterSeconds } : {}),
  };
}
