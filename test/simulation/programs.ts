import type { ClaimedTask } from '../../lib/http/schemas/runtime.ts';
import { Refused, sendFrom } from '../support/shim-api.ts';
import { ProgramFailure } from '../support/simulated-attempt.ts';
import type { SimulatedShim } from '../support/simulated-shim.ts';
import type { Random } from './random.ts';
import { download } from './web.ts';
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
  /** The program makes a schedule for its agent, or deletes it. */
  schedules?: 'put' | 'delete';
  /** It asks that its agent be kept from idling for so long. */
  staysSeconds?: number;
  /** Tokens that it spends when it begins, and again when it ends. */
  spends?: number;
  /** It tells an agent to do work of this number. */
  tells?: { to: string; number: number };
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
  if (random.chance(0.05)) work.answerBytes = random.pick([2000, 60_000, 100_000]);
  if (random.chance(0.03)) work.padding = 'x'.repeat(random.pick([10_000, 80_000]));
  if (random.chance(0.03)) work.schedules = random.pick(['put', 'put', 'delete']);
  if (random.chance(0.2)) work.spends = 1 + random.int(300);
  if (random.chance(0.03)) work.staysSeconds = 1 + random.int(200);
  return work;
}

/** Each template gives a task at least so much time. */
const shortestTimeoutSeconds = 60;

/** Work that is done many times: it ends by itself, in its time, and kills nobody. A buffer of what does not may last for ever. */
export function repeatableWork(random: Random, number: number): Work {
  const {
    hangs: _hangs,
    deaths: _deaths,
    padding: _padding,
    schedules: _schedules,
    ...work
  } = randomWork(random, number);
  return { ...work, seconds: Math.min(work.seconds, shortestTimeoutSeconds / 2) };
}

/** What a task with this work answers when it succeeds. */
export function answerOf({ number, answerBytes }: Work): unknown {
  return { number, ...(answerBytes ? { padding: 'y'.repeat(answerBytes) } : {}) };
}

/** Who hears of what a program does besides its work. */
export interface Listener {
  /** Others take its messages by these tasks. */
  onSent?: (taskId: string, to: string, work: Work) => void;
  onSpent?: (taskId: string, tokens: number) => void;
}

/** Runs work in the container of a shim. */
export async function perform(
  world: World,
  task: ClaimedTask,
  shim: SimulatedShim,
  { onSent = () => {}, onSpent = () => {} }: Listener = {},
): Promise<unknown> {
  const work = await workOf(world, task);
  const { fence } = task;
  const spend = (input: number) => {
    onSpent(task.id, input);
    shim.spend(task.id, { input });
  };
  if (work.spends) spend(work.spends);
  if (work.lines) {
    const time = new Date(world.now()).toISOString();
    const lines = Array.from({ length: work.lines }, (_, i) => ({ time, stream: 'stdout', line: `line ${i}` }));
    await shim.post(`tasks/${task.id}/events`, { fence, place: task.place, lines });
  }
  if (work.staysSeconds) await shim.post('activity', { seconds: work.staysSeconds });
  if (work.schedules) await ownSchedules(shim, work);
  if (work.tells) await tell(shim, task, work.tells, onSent);
  await world.sleep(work.seconds * 1000);
  if (work.spends) spend(work.spends);
  if (work.hangs) await new Promise<never>(() => {});
  if (fence <= (work.deaths ?? 0)) {
    shim.die(137);
    await new Promise<never>(() => {});
  }
  if (work.saves) await shim.saveWorkspace([`pack-${work.number}-${fence}`]);
  if (fence <= (work.failures ?? 0)) throw new ProgramFailure(work.code ?? 'exit_1', `Attempt ${fence} fails.`);
  return answerOf(work);
}

async function workOf(world: World, task: ClaimedTask): Promise<Work> {
  if (task.inputUrl === undefined) return task.input as Work;
  const found = await download(world, task.inputUrl);
  if (!found) throw new ProgramFailure('input_unavailable', 'The input could not be downloaded.');
  return found.value as Work;
}

/** Sends a message, and then again, as if there had been no answer. Who is archived or gone takes none. */
async function tell(
  shim: SimulatedShim,
  task: ClaimedTask,
  { to, number }: { to: string; number: number },
  onSent: (taskId: string, to: string, work: Work) => void,
): Promise<void> {
  const body: Work = { number, seconds: 1 };
  try {
    const sent = await sendFrom(shim, task, 1, { to, body });
    const again = await sendFrom(shim, task, 1, { to, body });
    if (again.taskId !== sent.taskId)
      throw new Error(`A message was sent twice, as ${sent.taskId} and ${again.taskId}.`);
    onSent(sent.taskId, to, body);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
}

/** Agents have schedules of their own, by the token of their runtime. What is refused is left. */
async function ownSchedules(shim: SimulatedShim, { number, schedules }: Work): Promise<void> {
  try {
    const { items } = await shim.ask<{ items: { name: string }[] }>('GET', 'schedules');
    if (schedules === 'delete') for (const { name } of items) await shim.ask('DELETE', `schedules/${name}`);
    if (schedules !== 'put') return;
    const task = { input: { number, seconds: 1 } };
    await shim.ask('PUT', `schedules/own-${number % 2}`, { expression: 'rate(3 minutes)', task });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
}
