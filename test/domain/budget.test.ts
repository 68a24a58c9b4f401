import { describe, expect, it } from 'vitest';
import { holdSpent, whySpent, withUsage } from '../../lib/domain/agent-budget.ts';
import { resume } from '../../lib/domain/agent-life.ts';
import { stopped } from '../../lib/domain/agent-stop.ts';
import { isExceeded, isUsedUp, mergedBudget, tighter, usedOf } from '../../lib/domain/budget.ts';
import { priced } from '../../lib/domain/cost.ts';
import {
  chargeOf,
  claim,
  failAttempt,
  isOverBudget,
  lose,
  type QueuedTask,
  release,
  succeed,
} from '../../lib/domain/task.ts';
import { anAgent, aTask, nowMs, runtimeId } from '../support/builders.ts';

const policy = { initialSeconds: 1, coefficient: 2, maxSeconds: 100, nonRetryable: [] };
const broken = { code: 'exit_1', message: 'no luck' };
const tokens = (inputTokens: number, outputTokens = 0) => ({ inputTokens, outputTokens });

describe('a budget', () => {
  it('is used up when nothing is left, and exceeded by what is more', () => {
    const used = [999, 1000, 1001].map((amount) => ({ tokens: amount, costUsd: 0 }));
    expect(used.map((amounts) => isUsedUp({ tokens: 1000 }, amounts))).toEqual([false, true, true]);
    expect(used.map((amounts) => isExceeded({ tokens: 1000 }, amounts))).toEqual([false, false, true]);
  });

  it('limits dollars as it limits tokens, and nothing that it leaves out', () => {
    expect(isUsedUp({ costUsd: 0.5 }, { tokens: 1e9, costUsd: 0.4 })).toBe(false);
    expect(isUsedUp({ costUsd: 0.5, tokens: 10 }, { tokens: 1, costUsd: 0.5 })).toBe(true);
    expect(isUsedUp({}, { tokens: 1e9, costUsd: 1e9 })).toBe(false);
  });

  it('is given field by field, the later over the earlier', () => {
    expect(mergedBudget({ tokens: 5, costUsd: 1 }, { tokens: 7 })).toEqual({ tokens: 7, costUsd: 1 });
    expect(mergedBudget(undefined, {}, undefined)).toBeUndefined();
  });

  it('is the tighter of two, field by field', () => {
    expect(tighter({ tokens: 5, costUsd: 2 }, { tokens: 7, costUsd: 1 })).toEqual({ tokens: 5, costUsd: 1 });
    expect(tighter({ tokens: 5 }, undefined)).toEqual({ tokens: 5 });
    expect(tighter({ tokens: 5 }, { costUsd: 1 })).toEqual({ tokens: 5, costUsd: 1 });
    expect(tighter(undefined, undefined)).toBeUndefined();
  });

  it('tells people how much of it is used', () => {
    const budget = { tokens: 1000, costUsd: 0.5 };
    expect(usedOf(budget, { tokens: 1204, costUsd: 0.123456789 })).toBe('1204 of 1000 tokens and $0.123457 of $0.5');
  });
});

describe('a task with a budget', () => {
  const aRunning = (differs = {}) =>
    aTask('running', { budget: { tokens: 1000 }, usedBefore: tokens(300), ...differs });

  it('is tried again while something is left', () => {
    const { task } = failAttempt(aRunning(), { ...broken, usage: tokens(600, 99) }, policy, nowMs);
    expect(task).toMatchObject({ status: 'queued', usedBefore: tokens(900, 99) });
  });

  it('has failed when an attempt failed that used up the rest', () => {
    const { task, events } = failAttempt(aRunning(), { ...broken, usage: tokens(600, 100) }, policy, nowMs);
    const error = {
      code: 'budget_exceeded',
      message: 'The task has used 1000 of 1000 tokens, so it is not tried again. The last attempt: exit_1: no luck',
    };
    expect(task).toMatchObject({ status: 'failed', outcome: { error, usage: tokens(900, 100) } });
    expect(events).toEqual([{ type: 'task.failed', data: { attempt: 1, ...error } }]);
  });

  it('keeps the error of its last attempt when that was the end of it anyway', () => {
    const last = aRunning({ failures: 2 });
    const { task } = failAttempt(last, { ...broken, usage: tokens(5000) }, policy, nowMs);
    expect(task).toMatchObject({ status: 'failed', outcome: { error: broken } });
  });

  it('is not tried again when its runtime ended it for its budget', () => {
    const failure = { code: 'budget_exceeded', message: 'too much', usage: tokens(2) };
    expect(failAttempt(aRunning(), failure, policy, nowMs).task).toMatchObject({ status: 'failed', failures: 1 });
  });

  it('that was handed back has failed when nothing is left, and goes on otherwise', () => {
    const atOnce = (usage: object) => release(aRunning(), 'its runtime stops', nowMs, usage).task;
    expect(atOnce(tokens(10))).toMatchObject({ status: 'queued', usedBefore: tokens(310, 0) });
    expect(atOnce(tokens(700))).toMatchObject({
      status: 'failed',
      failures: 0,
      outcome: { error: { code: 'budget_exceeded', message: expect.stringContaining('its runtime stops') } },
    });
  });

  it('whose runtime died has used what its last heartbeat said', () => {
    const used = priced(0, { wallSeconds: 40, ...tokens(200, 100), reportedCostUsd: 0.1 });
    const { task } = lose(aRunning({ used }), 'gone', nowMs);
    expect(task).toMatchObject({ status: 'queued', usedBefore: { inputTokens: 500, outputTokens: 100, costUsd: 0.1 } });
    const spent = lose(aRunning({ used: { ...used, ...tokens(700) } }), 'gone', nowMs).task;
    expect(spent).toMatchObject({ status: 'failed', outcome: { error: { code: 'budget_exceeded' } } });
  });

  it('whose runtime died after a heartbeat is charged for the time since, too', () => {
    const used = { ...priced(0.001, { wallSeconds: 20, inputTokens: 9, reportedCostUsd: 0.5 }) };
    const times = { startedMs: nowMs - 100_000, leaseUntilMs: nowMs - 40_000, usdPerSecond: 0.001, used };
    expect(lose(aRunning(times), 'gone', nowMs).task).toMatchObject({
      usedBefore: { inputTokens: 309, wallSeconds: 60, reportedCostUsd: 0.5, costUsd: 0.56 },
    });
  });

  it('is what such a failure of its own says, where it has none', () => {
    const failure = { code: 'budget_exceeded', message: 'my own budget' };
    expect(failAttempt(aTask('running'), failure, policy, nowMs).task).toMatchObject({ status: 'queued' });
  });

  it('whose runtime died before a heartbeat is charged for its time, until its lease ended', () => {
    const times = { startedMs: nowMs - 500_000, leaseUntilMs: nowMs - 440_000, usdPerSecond: 0.001 };
    expect(lose(aRunning(times), 'gone', nowMs).task).toMatchObject({
      usedBefore: { inputTokens: 300, wallSeconds: 60, costUsd: 0.06 },
    });
  });

  it('begins each attempt with nothing counted but what the ones before have used', () => {
    const { task } = release(aRunning({ used: tokens(9), charged: true }), 'its runtime stops', nowMs, tokens(9));
    const { task: again } = claim(task as QueuedTask, runtimeId, nowMs, { usdPerSecond: 0.5 });
    expect(again).toMatchObject({ usedBefore: tokens(309, 0), usdPerSecond: 0.5, charged: undefined });
    expect(again.used).toBeUndefined();
    expect(isOverBudget(again, tokens(691))).toBe(false);
    expect(isOverBudget(again, tokens(692))).toBe(true);
  });
});

describe('what an agent is charged with', () => {
  const running = aTask('running', { charged: true, usedBefore: { ...tokens(300), costUsd: 0.3 } });

  it('is what the attempt used that has ended, however it ended', () => {
    const usage = { ...tokens(5, 6), costUsd: 0.1 };
    const ends = [
      succeed(running, { usage }, nowMs),
      failAttempt(running, { ...broken, usage }, policy, nowMs),
      release(running, 'its runtime stops', nowMs, usage),
    ];
    for (const { task } of ends) expect(chargeOf(running, task)).toEqual(usage);
  });

  it('is nothing while the attempt goes on, and for an agent without a budget', () => {
    expect(chargeOf(running, { ...running, version: 2 })).toBeUndefined();
    const free = { ...running, charged: undefined };
    expect(chargeOf(free, succeed(free, { usage: tokens(5) }, nowMs).task)).toBeUndefined();
  });
});

describe('an agent with a budget', () => {
  const budget = { tokens: 1000 };
  const spent = withUsage(anAgent('running', { usedTokens: 990 }), tokens(10, 5));
  const reason = whySpent(spent, budget)!;

  it('may go on until it is used up, and says then what helps', () => {
    expect(whySpent(anAgent('running', { usedTokens: 999 }), budget)).toBeUndefined();
    expect(whySpent(spent, undefined)).toBeUndefined();
    expect(whySpent(anAgent('running', { usedTokens: 500 }), budget, [tokens(300), tokens(200)])).toBeUndefined();
    expect(whySpent(anAgent('running', { usedTokens: 500 }), budget, [tokens(300), tokens(201)])).toContain('1001 of');
    expect(reason).toBe(
      'it has used 1005 of 1000 tokens, which is its budget; with a larger one in its overrides, and resumed, it goes on',
    );
  });

  it('is stopped at once when it runs, and held, with the reason', () => {
    const { agent: stopping, events } = holdSpent(spent, reason, nowMs);
    expect(stopping).toMatchObject({ status: 'stopping', goal: 'paused', forced: true, held: true });
    expect(events).toMatchObject([{ type: 'agent.stopping', data: { reason } }]);
    const { agent: paused } = stopped(stopping, 'it said goodbye', false, nowMs);
    expect(paused).toMatchObject({ status: 'paused', held: true, statusReason: reason });
    expect(resume(paused, nowMs).agent).toMatchObject({ held: false, heldReason: undefined, statusReason: undefined });
  });

  it('is held where it is when it is paused', () => {
    const { agent, events } = holdSpent(anAgent('paused'), reason, nowMs);
    expect(agent).toMatchObject({ status: 'paused', held: true, statusReason: reason });
    expect(events).toEqual([{ type: 'agent.held', data: { reason } }]);
  });
});
