import { expect, test } from 'vitest';
import { type Clock, systemClock } from '../../agent/clock.ts';
import { startProgram } from '../../agent/drivers/program.ts';
import { Cloud } from './support/cloud.ts';
import { temporaryFolder } from './support/shim.ts';

/** Stops this process, as a machine with too much to do does. */
const stall = (milliseconds: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);

/** Runs a script as a task's program. */
function start(script: string, clock: Clock, stdio: ('ignore' | 'pipe')[]) {
  const lines: string[] = [];
  const setting = {
    config: new Cloud().config,
    agentId: 'agt',
    runtimeId: 'rt',
    workspace: temporaryFolder(),
    moduleRoot: '',
    entry: '',
    containerEnv: { PATH: process.env.PATH },
    user: null,
    pidsFile: undefined,
    clock,
  };
  const task = { id: 'tsk', fence: 1, place: '', input: '', timeoutSeconds: 60, leaseSeconds: 60, metadata: {} };
  const told = {
    task,
    input: '',
    onLine: (_stream: string, line: string) => lines.push(line) > 0,
    onProgress: () => {},
    onActivity: () => {},
    onSpent: () => {},
    onSend: async () => ({ id: '' }),
  };
  return { ...startProgram(setting, told, ['bash', '-c', script], stdio), lines };
}

test('what a child wrote while the shim had no time is read, though the time for it is up', async () => {
  const clock: Clock = {
    now: systemClock.now,
    async sleep(_milliseconds, signal) {
      const over = systemClock.sleep(50, signal);
      stall(600);
      await over;
    },
  };
  const script = 'setsid bash -c "sleep 0.4; echo late" & sleep 0.2; echo early';
  const { ended, lines } = start(script, clock, ['ignore', 'pipe', 'pipe']);
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(lines).toEqual(['early', 'late']);
});

test('a daemon that holds nothing open but what tells of spending is not waited for', async () => {
  // No time is ever over: the end has to come from what the program prints to.
  const clock: Clock = { now: systemClock.now, sleep: () => new Promise(() => {}) };
  const script = 'setsid sleep 5 </dev/null >/dev/null 2>&1 & sleep 0.2; echo done';
  const { ended, lines } = start(script, clock, ['ignore', 'pipe', 'pipe', 'pipe']);
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(lines).toEqual(['done']);
});
