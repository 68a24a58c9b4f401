import { expect, test } from 'vitest';
import { type Clock, systemClock } from '../../agent/clock.ts';
import { startProgram } from '../../agent/drivers/program.ts';
import { Cloud } from './support/cloud.ts';
import { temporaryFolder } from './support/shim.ts';

/** Stops this process, as a machine with too much to do does. */
const stall = (milliseconds: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);

test('what a child wrote while the shim had no time is read, though the time for it is up', async () => {
  const clock: Clock = {
    now: systemClock.now,
    async sleep(_milliseconds, signal) {
      const over = systemClock.sleep(50, signal);
      stall(600);
      await over;
    },
  };
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
  const script = 'setsid bash -c "sleep 0.4; echo late" & sleep 0.2; echo early';
  const { ended } = startProgram(setting, told, ['bash', '-c', script], ['ignore', 'pipe', 'pipe']);
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(lines).toEqual(['early', 'late']);
});
