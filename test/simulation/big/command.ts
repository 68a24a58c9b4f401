import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { compareFleets } from './big.ts';
import type { BigPlan } from './plan.ts';
import { render } from './report.ts';
import { verdictOf } from './verdict.ts';

/** What a document keeps of itself: everything before this line was written by hand. */
const marker = '<!-- What follows is written by the run. -->\n';

export interface BigRun {
  plan: BigPlan;
  assembly: string;
  /** The repository: figures go to its folder `.rouse`. */
  root: string;
  /** A document that gets the tables. */
  report?: string | undefined;
}

/** `npm run simulate -- --big`. @returns whether nothing was lost, doubled or left, and a task takes what it should */
export async function runBig({ plan, assembly, root, report }: BigRun): Promise<boolean> {
  const fleets = await compareFleets(plan, assembly, (line) => console.log(line));
  const json = join(root, '.rouse', 'simulation.json');
  mkdirSync(dirname(json), { recursive: true });
  writeFileSync(json, `${JSON.stringify(fleets, undefined, 2)}\n`);
  const text = render(fleets, machine());
  console.log(`\n${text}\n\nAll figures: ${json}`);
  for (const { violation, plan } of [fleets.small, fleets.big])
    if (violation !== undefined) console.log(`\nWith ${plan.agents} agents: ${violation}`);
  if (report !== undefined) writeReport(report, text);
  return verdictOf(fleets).isMet;
}

/** Replaces what an earlier run has written. */
export function writeReport(path: string, text: string): void {
  const [introduction] = readFileSync(path, 'utf8').split(marker);
  writeFileSync(path, `${introduction}${marker}\n\`\`\`\n${text}\n\`\`\`\n`);
}

function machine(): string {
  const date = new Date().toISOString().slice(0, 10);
  return `${date}, one core of ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.versions.node}, ${process.platform}`;
}
