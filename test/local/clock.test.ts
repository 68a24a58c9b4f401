import { afterEach, expect, test, vi } from 'vitest';
import { ManualClock, RealClock } from '../../local/clock.ts';
import { randomFrom } from '../support/builders.ts';

afterEach(() => vi.useRealTimers());

test('a real clock that is closed calls nobody any more', () => {
  vi.useFakeTimers();
  const clock = new RealClock();
  let calls = 0;
  for (const afterMs of [1, 10, 3_000_000_000]) clock.at(Date.now() + afterMs, () => calls++);
  vi.advanceTimersByTime(5);
  clock.close();
  vi.advanceTimersByTime(4_000_000_000);
  expect(calls).toBe(1);
});

test('time is in whole milliseconds, whatever a timer asks for', () => {
  const clock = new ManualClock(0);
  clock.at(0.5, () => {});
  clock.step(10);
  expect(clock.now()).toBe(1);
});

test('timers run in order of time, then of creation, and cancelled ones never', () => {
  const random = randomFrom(1);
  const clock = new ManualClock(0);
  const ran: { timeMs: number; order: number }[] = [];
  const pending: { timeMs: number; order: number }[] = [];
  let order = 0;
  const add = () => {
    const one = { timeMs: clock.now() + Math.floor(random() * 50), order: order++ };
    const timer = clock.at(one.timeMs, () => {
      ran.push(one);
      if (order < 2000) add();
    });
    if (random() < 0.3) timer.cancel();
    else pending.push(one);
  };
  for (let i = 0; i < 1000; i++) add();
  while (clock.step(10_000)) expect(clock.now()).toBe(ran.at(-1)?.timeMs);

  expect(ran).toEqual(pending.toSorted((a, b) => a.timeMs - b.timeMs || a.order - b.order));
  expect(clock.now()).toBe(10_000);
  expect(clock.nextTimer()).toBeUndefined();
});
