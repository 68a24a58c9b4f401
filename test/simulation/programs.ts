import type { ClaimedTask } from '../../lib/http/schemas/runtime.ts';
import { ProgramFailure, type SimulatedShim } from '../support/simulated-shim.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** What a simulated program does: the input of its task says it, so that everybody knows what has to come out. */
export interface Work {
  /** Different in every task. */
  number: number;
  seconds: number;
  /** It fails in so many attempts with this code, and answers in the next. */
  failures?: number;
  code?: string;
  /** The program kills its container in so many attempts. */
  deaths?: number;
  /** It never ends by itself. */
  hangs?: boolean;
  /** It prints so many lines. */
  lines?: number;
  /** It saves a generation of the workspace. */
  saves?: boolean;
  /** Its answer is padded to this size. */
  answerBytes?: number;
  padding?: string;
}

/** Work of all kinds: mostly short, now and then long, failing, deadly, large. */
export function randomWork(random: Random, number: number): Work {
  const work: Work = { number, seconds: Math.round(random.exponential(random.chance(0.1) ? 120 : 8) * 10) / 10 };
  if (random.chance(0.12)) {
    work.failures = 1 + random.int(3);
    work.code = random.pick(['exit_1', 'exit_2', 'exit_75', 'output_invalid', 'driver_failed']);
  }
  if (random.chance(0.02)) work.deaths = 1 + random.int(2);
  if (random.chance(0.02)) work.hangs = true;
  if (random.chance(0.1)) work.lines = 1 + random.int(20);
  if (random.chance(0.1)) work.saves = true;
  if (random.chance(0.05)) work.answerBytes = random.pick([2000, 60_000]);
  if (random.chance(0.03)) work.padding = 'x'.repeat(random.pick([10_000, 80_000]));
  return work;
}

/** What a task with this work answers when it succeeds. */
export function answerOf({ number, answerBytes }: Work): unknown {
  return { number, ...(answerBytes ? { padding: 'y'.repeat(answerBytes) } : {}) };
}

/** Runs work in the container of a shim. */
export async function perform(world: World, task: ClaimedTask, shim: SimulatedShim): Promise<unknown> {
  const work = (task.inputUrl === undefined ? task.input : await download(world, task.inputUrl)) as Work;
  const { fence } = task;
  if (work.lines) {
    const time = new Date(world.now()).toISOString();
    const lines = Array.from({ length: work.lines }, (_, i) => ({ time, stream: 'stdout', line: `line ${i}` }));
    await shim.post(`tasks/${task.id}/events`, { fence, place: task.place, lines });
  }
  await world.sleep(work.seconds * 1000);
  if (work.hangs) await new Promise<never>(() => {});
  if (fence <= (work.deaths ?? 0)) {
    shim.die(137);
    await new Promise<never>(() => {});
  }
  if (work.saves) await shim.saveWorkspace([`pack-${work.number}-${fence}`]);
  if (fence <= (work.failures ?? 0)) throw new ProgramFailure(work.code ?? 'exit_1', `Attempt ${fence} fails.`);
  return answerOf(work);
}

async function download(world: World, url: string): Promise<unknown> {
  const { pathname: path, search, host, searchParams } = new URL(url);
  const request = { method: 'GET', path, query: Object.fromEntries(searchParams), rawQuery: search.slice(1) };
  for (let tries = 0; tries < 20; tries++) {
    const answer = await world.stack.aws
      .handle({ ...request, headers: { host }, body: new Uint8Array() })
      .catch(() => undefined);
    if (answer?.status === 200) return JSON.parse(Buffer.from(answer.body).toString());
    await world.sleep(1000);
  }
  throw new ProgramFailure('input_unavailable', 'The input could not be downloaded.');
}
