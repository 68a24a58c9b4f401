import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');

/** Runs the simulation in a process of its own, whose time and chance it takes over. */
function simulate(...options: string[]): string {
  const args = [join(root, 'test/simulation/main.ts'), '--agents', '2', '--hours', '0.1', ...options];
  return execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
}

const tracesOf = (output: string) => output.match(/trace \S+/g);

test('a seed is the same run every time, whatever ran before it', () => {
  const alone = tracesOf(simulate('--seed', '7', '--threads', '1'));
  const after = tracesOf(simulate('--seed', '6', '--seeds', '2', '--threads', '1', '--verbose'));
  expect(alone).toHaveLength(1);
  expect(after).toHaveLength(2);
  expect(after).toContain(alone?.[0]);
  expect(after?.[0]).not.toBe(after?.[1]);
}, 120_000);
