import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');

/** Runs the simulation in a process of its own, whose time and chance it takes over. */
function simulate(...options: string[]): { status: number | null; output: string } {
  const args = [join(root, 'test/simulation/main.ts'), '--threads', '1', ...options];
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  return { status, output: stdout };
}

const small = ['--agents', '2', '--hours', '0.05'];
const tracesOf = ({ output }: { output: string }) => output.match(/trace \S+/g);

test('a seed is the same run every time, whatever ran before it', () => {
  const alone = tracesOf(simulate(...small, '--seed', '7'));
  const after = tracesOf(simulate(...small, '--seed', '6', '--seeds', '2', '--verbose'));
  expect(alone).toHaveLength(1);
  expect(after).toHaveLength(2);
  expect(after).toContain(alone?.[0]);
  expect(after?.[0]).not.toBe(after?.[1]);
}, 120_000);

test('a bug of the product is found, told by its seed and what happened, and shrunk to less', () => {
  const busy = ['--agents', '3', '--hours', '0.3', '--every', '20'];
  const found = simulate(...busy, '--seed', '2', '--sabotage', 'unconditional-writes', '--shrink', '4');
  expect(found.status).toBe(1);
  const [first, smallest] = [...found.output.matchAll(/npm run simulate -- (.*)/g)].map(([, options]) => options!);
  expect(first).toContain('--seed 2 --agents 3 --hours 0.3 ');
  expect(Number(smallest?.match(/--hours (\S+)/)?.[1])).toBeLessThan(0.3);
  // What happened to whom it is about, with names that can be read.
  expect(found.output).toMatch(/^\d\d:\d\d:\d\d\.\d{3} {2}(agent|task|runtime)-1 /m);
  const violation = found.output.match(/VIOLATION: (.*)/)?.[1];
  expect(violation).toBeDefined();
  const again = simulate(...smallest!.trim().split(' '), '--shrink', '0');
  expect(again.output).toContain(`VIOLATION: ${violation}`);
}, 120_000);
