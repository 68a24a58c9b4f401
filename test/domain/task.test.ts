import { describe, expect, it } from 'vitest';
import type { RetryPolicy } from '../../lib/domain/retry.ts';
import {
  cancelled,
  claim,
  expire,
  failAttempt,
  isClaimable,
  isFinished,
  isHeld,
  type LiveTask,
  placeOf,
  release,
  requestCancel,
  submit,
  succeed,
} from '../../lib/domain/task.ts';
import { aTask, nowMs, otherRuntimeId, runtimeId } from '../support/builders.ts';
import { given } from './given.ts';

const policy: RetryPolicy = { initialSeconds: 2, coefficient: 3, maxSeconds: 60, nonRetryable: ['exit_2'] };
const broken = { code: 'exit_1', message: 'It broke.' };
const ended = { statusReason: undefined, finishedMs: nowMs };

describe('a new task', () => {
  it('is queued under its first version, with no attempt', () => {
    const { status: _status, version: _version, attempt: _attempt, failures: _failures, ...fields } = aTask();
    expect(submit(fields)).toEqual({
      task: { ...fields, status: 'queued', version: 1, attempt: 0, failures: 0 },
      events: [{ type: 'task.queued' }],
    });
  });

  it('has a place that its priority moves ahead by seconds', () => {
    expect(placeOf(nowMs, 0)).toBe(nowMs);
    expect(placeOf(nowMs, 60)).toBe(nowMs - 60_000);
    expect(placeOf(nowMs, -60)).toBe(nowMs + 60_000);
  });
});

describe('whether a task can be claimed', () => {
  it('begins with its time', () => {
    expect(isClaimable(aTask('queued', { notBeforeMs: nowMs + 1 }), nowMs)).toBe(false);
    expect(isClaimable(aTask('queued', { notBeforeMs: nowMs }), nowMs)).toBe(true);
  });

  it('ends when it expires', () => {
    expect(isClaimable(aTask('queued', { expiresMs: nowMs + 1 }), nowMs)).toBe(true);
    expect(isClaimable(aTask('queued', { expiresMs: nowMs }), nowMs)).toBe(false);
  });

  for (const status of ['running', 'cancelling', 'succeeded', 'failed', 'cancelled', 'timed_out', 'expired'] as const)
    it(`is never while it is ${status}`, () => {
      expect(isClaimable(aTask(status), nowMs)).toBe(false);
    });
});

describe('a claim', () => {
  it('gives the task a new fence and a lease', () => {
    given(aTask('queued', { attempt: 2, failures: 1, statusReason: 'tried again' }))
      .when((task) => claim(task as never, runtimeId, nowMs))
      .becomes(
        {
          status: 'running',
          statusReason: undefined,
          attempt: 3,
          runtimeId,
          startedMs: nowMs,
          firstStartedMs: nowMs,
          leaseUntilMs: nowMs + 60_000,
        },
        { type: 'task.started', data: { attempt: 3, runtimeId } },
      );
  });

  it('keeps when the task started first', () => {
    expect(claim(aTask('queued', { firstStartedMs: 5 }), otherRuntimeId, nowMs).task.firstStartedMs).toBe(5);
  });
});

describe('an answer', () => {
  for (const status of ['running', 'cancelling'] as const)
    it(`ends a task that is ${status} as succeeded`, () => {
      given(aTask(status))
        .when((task) => succeed(task as never, { output: 'done' }, nowMs))
        .becomes(
          { status: 'succeeded', ...ended, outcome: { output: 'done' } },
          { type: 'task.succeeded', data: { attempt: 1, seconds: 5 } },
        );
    });
});

describe('a failed attempt', () => {
  it('puts the task back into the queue until its delay is over', () => {
    given(aTask('running'))
      .when((task) => failAttempt(task as never, broken, policy, nowMs))
      .becomes(
        {
          status: 'queued',
          statusReason: 'attempt 1 failed with exit_1; it is tried again',
          requeuedMs: nowMs,
          runtimeId: undefined,
          startedMs: undefined,
          leaseUntilMs: undefined,
          failures: 1,
          lastError: broken,
          notBeforeMs: nowMs + 2000,
        },
        { type: 'task.attempt_failed', data: { attempt: 1, ...broken, retryInSeconds: 2 } },
      );
  });

  it('is the end when it was the last', () => {
    const usage = { wallSeconds: 5 };
    given(aTask('running', { attempt: 4, failures: 2 }))
      .when((task) => failAttempt(task as never, { ...broken, usage }, policy, nowMs))
      .becomes(
        { status: 'failed', ...ended, failures: 3, outcome: { error: broken, usage } },
        { type: 'task.failed', data: { attempt: 4, ...broken } },
      );
  });

  it('is the end when the policy does not try its code again', () => {
    const { task } = failAttempt(aTask('running'), { ...broken, code: 'exit_2' }, policy, nowMs);
    expect(task).toMatchObject({ status: 'failed', failures: 1 });
  });

  it('that took too long ends as timed_out', () => {
    const failure = { code: 'timed_out', message: 'It took over 600 s.' };
    const { task, events } = failAttempt(aTask('running', { maxAttempts: 1 }), failure, policy, nowMs);
    expect(task).toMatchObject({ status: 'timed_out', outcome: { error: failure } });
    expect(events.map((event) => event.type)).toEqual(['task.timed_out']);
  });

  it('of a task that is being cancelled is its cancel', () => {
    const { task, events } = failAttempt(aTask('cancelling'), broken, policy, nowMs);
    expect(task).toMatchObject({ status: 'cancelled', failures: 0 });
    expect(events).toEqual([{ type: 'task.cancelled', data: { attempt: 1, proof: 'its attempt ended' } }]);
  });
});

describe('a release', () => {
  it('puts the task back into the queue at once, without blame', () => {
    given(aTask('running'))
      .when((task) => release(task as never, 'its runtime stops', nowMs))
      .becomes(
        {
          status: 'queued',
          statusReason: 'its runtime stops',
          requeuedMs: nowMs,
          runtimeId: undefined,
          startedMs: undefined,
          leaseUntilMs: undefined,
        },
        { type: 'task.requeued', data: { attempt: 1, runtimeId, reason: 'its runtime stops' } },
      );
  });

  it('of a task that is being cancelled is its cancel', () => {
    const { task } = release(aTask('cancelling'), 'its runtime is dead', nowMs);
    expect(task).toMatchObject({
      status: 'cancelled',
      outcome: { error: { code: 'cancelled', message: 'The task was cancelled: its runtime is dead.' } },
    });
  });
});

describe('a cancel', () => {
  it('of a queued task is done at once', () => {
    given(aTask('queued'))
      .when((task) => requestCancel(task as never, nowMs))
      .becomes(
        {
          status: 'cancelled',
          ...ended,
          outcome: { error: { code: 'cancelled', message: 'The task was cancelled: it had not started.' } },
        },
        { type: 'task.cancelled', data: { attempt: 0, proof: 'it had not started' } },
      );
  });

  it('of a running task waits for proof', () => {
    given(aTask('running'))
      .when((task) => requestCancel(task as never, nowMs))
      .becomes(
        { status: 'cancelling', cancelRequestedMs: nowMs },
        { type: 'task.cancelling', data: { attempt: 1, runtimeId } },
      );
  });

  it('tells how it is known that nothing runs', () => {
    const { task, events } = cancelled(aTask('cancelling'), 'ECS says STOPPED', nowMs);
    expect(task.finishedMs).toBe(nowMs);
    expect(events).toEqual([{ type: 'task.cancelled', data: { attempt: 1, proof: 'ECS says STOPPED' } }]);
  });
});

describe('an expiry', () => {
  it('is the end of a task that was not started in time', () => {
    given(aTask('queued', { expiresMs: nowMs }))
      .when((task) => expire(task as never, nowMs))
      .becomes(
        {
          status: 'expired',
          ...ended,
          outcome: {
            error: {
              code: 'expired',
              message: 'The task was not started in the time that expiresInSeconds gave it.',
            },
          },
        },
        { type: 'task.expired', data: {} },
      );
  });
});

describe('statuses', () => {
  it('are queued, held or finished, and never two of these', () => {
    const kinds = (['queued', 'running', 'cancelling', 'succeeded', 'expired'] as const).map((status) => {
      const task = aTask(status);
      return [isHeld(task), isFinished(task)];
    });
    expect(kinds).toEqual([
      [false, false],
      [true, false],
      [true, false],
      [false, true],
      [false, true],
    ]);
  });
});

describe('the usage of a task', () => {
  it('is the sum of its attempts', () => {
    const usage = { wallSeconds: 2, costUsd: 0.1 };
    const failed = failAttempt(aTask('running'), { code: 'exit_1', message: '', usage }, policy, nowMs);
    const again = claim(failed.task as Extract<LiveTask, { status: 'queued' }>, runtimeId, nowMs + 5_000);
    const { task } = succeed(again.task, { usage: { wallSeconds: 3, costUsd: 0.2 } }, nowMs + 8_000);
    expect(task.outcome.usage).toEqual({ wallSeconds: 5, costUsd: 0.3 });
  });
});
