/**
 * `npm run example:map-reduce`: counts the words of this repository's decision records, one task for each document, and
 * asks before it publishes. `--yes` answers by itself.
 */

import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { onStack, progressOf, type Rouse, type Run } from '../stack.ts';
import { mapReduce } from './workflow.ts';

export interface Document {
  name: string;
  text: string;
}

/** @param ask decides on the approval */
export async function countWords(
  rouse: Rouse,
  documents: Document[],
  ask: (prompt: string) => Promise<boolean>,
  onChange: (run: Run) => void = () => {},
): Promise<Run> {
  const agent = await rouse.agent('word-counter', join(import.meta.dirname, 'words.mjs'));
  return rouse.run('map-reduce', mapReduce, { agent, documents }, async (run) => {
    onChange(run);
    const { status, prompt } = run.steps.check!;
    if (status !== 'waiting') return;
    const verb = (await ask(prompt ?? '')) ? 'approve' : 'reject';
    await rouse.call('POST', `/v1/runs/${run.id}/steps/check/${verb}`, { comment: 'asked on the terminal' });
  });
}

async function askOnTerminal(prompt: string): Promise<boolean> {
  if (process.argv.includes('--yes')) {
    console.log(`${prompt} yes (--yes)`);
    return true;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`${prompt} [y/N] `);
  terminal.close();
  return /^y/i.test(answer);
}

async function main(rouse: Rouse): Promise<void> {
  const folder = join(import.meta.dirname, '..', '..', 'docs', 'adr');
  const documents = globSync('*.md', { cwd: folder })
    .sort()
    .map((name) => ({ name: basename(name), text: readFileSync(join(folder, name), 'utf8') }));
  const run = await countWords(rouse, documents, askOnTerminal, (now) => console.log(progressOf(now)));
  const { approved, report } = run.output as { approved: boolean; report: string };
  console.log(approved ? report : 'Nothing is published.');
}

if (import.meta.main) await onStack(main);
