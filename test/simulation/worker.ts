// First, since it has to be there before anything remembers a function of chance or time.
import './realm.ts';
import { parentPort, workerData } from 'node:worker_threads';
import type { Plan } from './plan.ts';
import { simulate } from './simulation.ts';

const { assembly } = workerData as { assembly: string };

/** Runs one plan after the other, as the main thread sends them. */
parentPort!.on('message', async (plan: Plan) => {
  parentPort!.postMessage(await simulate(plan, assembly));
});
