import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, test, vi } from 'vitest';
import { spawnMortal } from './dynamodb-local/mortal-child.ts';

const sleeper = ['sh', '-c', 'echo $$; exec sleep 600'];

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)('what ends by %s leaves no child behind', async (signal) => {
  const module = JSON.stringify(new URL('./dynamodb-local/mortal-child.ts', import.meta.url).href);
  const script = `const { spawnMortal } = await import(${module}); spawnMortal(${JSON.stringify(sleeper)}).child.stdout.pipe(process.stdout);`;
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface(parent.stdout), 'line')) as [string];
  expect(isAlive(Number(line))).toBe(true);
  parent.kill(signal);
  await vi.waitFor(() => expect(isAlive(Number(line))).toBe(false), { timeout: 10_000 });
});

test('stopping waits for its end, and a command that ends by itself tells its exit code', async () => {
  const { child, stop } = spawnMortal(sleeper);
  const [line] = (await once(createInterface(child.stdout!), 'line')) as [string];
  await stop();
  expect(isAlive(Number(line))).toBe(false);

  const failing = spawnMortal(['sh', '-c', 'exit 7']);
  expect(await once(failing.child, 'exit')).toEqual([7, null]);
  await failing.stop();
});
