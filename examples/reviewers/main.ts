/** `npm run example:reviewers`: two agents with rules of their own improve a text until neither finds anything. */

import { join } from 'node:path';
import { onStack, progressOf, type Rouse, type Run } from '../stack.ts';
import { reviewEachOther } from './workflow.ts';

export const draft =
  'It is believed that agents agents are really useful! They are actually asleep most of the the time!';

export interface Agreement {
  text: string;
  rounds: number;
  findings: { rule: string; say: string }[];
}

export async function agree(rouse: Rouse, text: string, onChange: (run: Run) => void = () => {}): Promise<Run> {
  const program = join(import.meta.dirname, 'editor.mjs');
  const author = await rouse.agent('editor-of-words', program, { RULES: 'filler,doubled' });
  const reviewer = await rouse.agent('editor-of-tone', program, { RULES: 'passive,shouting' });
  const input = { author, reviewer, text, findings: [], round: 1 };
  return rouse.run('review-each-other', reviewEachOther, input, onChange);
}

async function main(rouse: Rouse): Promise<void> {
  console.log(`Before: ${draft}`);
  const run = await agree(rouse, draft, (now) => console.log(progressOf(now)));
  const { text, rounds, findings } = run.output as Agreement;
  console.log(`After ${rounds} rounds: ${text}`);
  for (const { say } of findings) console.log(`Still to do: ${say}`);
}

if (import.meta.main) await onStack(main);
