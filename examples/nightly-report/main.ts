/** `npm run example:nightly-report`: a schedule starts an agent, and the next agent works on the files of the first. */

import { join } from 'node:path';
import { onStack, type Rouse, type Run } from '../stack.ts';
import { everyNight, nightlyReport } from './definitions.ts';

export interface Report {
  used: number;
  nights: number;
  report: string;
}

interface Fire {
  scheduledTime: string;
  outcome: string;
  reason: string | null;
  runId: string | null;
  result: { status: string } | null;
}

/** Makes agents, workflow and schedule. @returns when it fires next */
export async function plan(rouse: Rouse, name: string): Promise<string[]> {
  const program = (file: string) => join(import.meta.dirname, file);
  const collector = await rouse.agent('collector', program('collect.mjs'));
  const writer = await rouse.agent('report-writer', program('write.mjs'));
  await rouse.call('PUT', '/v1/workflows/nightly-report', nightlyReport(collector, writer));
  return (await rouse.call<{ nextFires: string[] }>('PUT', `/v1/schedules/${name}`, everyNight)).nextFires;
}

/** Does not wait for the night. @returns what the fire's run has answered */
export async function fireNow(rouse: Rouse, name: string): Promise<Report> {
  const { runId, outcome, reason } = await rouse.call<Fire>('POST', `/v1/schedules/${name}/trigger`);
  if (runId === null) throw new Error(`Nothing was started: ${outcome}, ${reason}`);
  let run = await rouse.call<Run>('GET', `/v1/runs/${runId}?waitSeconds=25`);
  while (run.status === 'running') run = await rouse.call('GET', `/v1/runs/${runId}?waitSeconds=25`);
  if (run.status !== 'succeeded') throw new Error(`The run ${runId} is ${run.status}: ${run.error?.message}`);
  await hasEnded(rouse, name, runId);
  return run.output as Report;
}

/** The schedule hears of the end a moment later. */
async function hasEnded(rouse: Rouse, name: string, runId: string): Promise<void> {
  for (;;) {
    const { items } = await rouse.call<{ items: Fire[] }>('GET', `/v1/schedules/${name}/fires`);
    if (items.some((fire) => fire.runId === runId && fire.result !== null)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function main(rouse: Rouse): Promise<void> {
  const name = 'nightly-report';
  const nextFires = await plan(rouse, name);
  console.log(`The next five nights: ${nextFires.join(', ')}`);
  for (const night of ['tonight', 'the night after']) {
    console.log(`\nWhat it says, if ${night} were now:`);
    console.log((await fireNow(rouse, name)).report);
  }
  await rouse.call('DELETE', `/v1/schedules/${name}`);
}

if (import.meta.main) await onStack(main);
