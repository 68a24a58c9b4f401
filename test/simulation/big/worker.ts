// First, since it has to be there before anything remembers a function of chance or time.
import '../realm.ts';
import { parentPort, workerData } from 'node:worker_threads';
import { liveThrough } from './day.ts';
import type { BigPlan } from './plan.ts';

const { assembly, plan } = workerData as { assembly: string; plan: BigPlan };

const day = await liveThrough(plan, assembly, (line) => parentPort!.postMessage({ line }));
parentPort!.postMessage({ day });
