import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { Crew } from './crew.ts';
import { faultNames } from './faults.ts';
import { defaultPlan, type Plan } from './plan.ts';

const root = join(import.meta.dirname, '../..');

/** Runs the simulation in a process of its own, whose time and chance it takes over. */
function simulate(...options: string[]): { status: number | null; output: string } {
  const args = [join(root, 'test/simulation/main.ts'), '--threads', '1', ...options];
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  return { status, output: stdout };
}

const plan = (seed: number): Plan => ({ ...defaultPlan, agents: 2, hours: 0.05, faults: [...faultNames], seed });

test('a seed is the same run every time, whatever ran before it', async () => {
  const assembly = inject('assembly');
  // A thread of its own begins anew.
  const [alone, after] = [new Crew(assembly), new Crew(assembly)];
  const first = await alone.run(plan(7));
  const other = await after.run(plan(6));
  const second = await after.run(plan(7));
  expect(first.tasks).toBeGreaterThan(0);
  expect(second.digest).toBe(first.digest);
  expect(other.digest).not.toBe(first.digest);
  await Promise.all([alone.close(), after.close()]);
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
