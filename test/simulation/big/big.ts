import { Worker } from 'node:worker_threads';
import type { Day } from './day.ts';
import { type BigPlan, smallPlanOf } from './plan.ts';

const oldSpaceMiB = 12_000;
/** What lives for the time of a call dies young, if there is room for many calls at once. */
const youngSpaceMiB = 256;

/** Lets the small fleet and then the big one live through the same day, each in a thread of its own. */
export async function compareFleets(
  plan: BigPlan,
  assembly: string,
  tell: (line: string) => void,
): Promise<{ small: Day; big: Day }> {
  const small = await inThread(smallPlanOf(plan), assembly, (line) => tell(`small fleet: ${line}`));
  const big = await inThread(plan, assembly, (line) => tell(`big fleet: ${line}`));
  return { small, big };
}

function inThread(plan: BigPlan, assembly: string, tell: (line: string) => void): Promise<Day> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: { assembly, plan },
    resourceLimits: { maxOldGenerationSizeMb: oldSpaceMiB, maxYoungGenerationSizeMb: youngSpaceMiB },
  });
  return new Promise<Day>((resolve, reject) => {
    worker.on('message', (message: { line?: string; day?: Day }) => {
      if (message.line !== undefined) tell(message.line);
      if (message.day) resolve(message.day);
    });
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`The thread ended with ${code} before its day was over.`)));
  }).finally(() => worker.terminate());
}
