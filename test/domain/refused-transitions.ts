import type { RetryPolicy } from '../../lib/domain/retry.ts';
import { cancelled, claim, expire, failAttempt, release, requestCancel, succeed } from '../../lib/domain/task.ts';
import { aTask, nowMs, runtimeId } from '../support/builders.ts';

declare const policy: RetryPolicy;
const broken = { code: 'exit_1', message: 'It broke.' };

/** Which status allows which transition is in the types: the compiler refuses these, and nobody calls them. */
export const refusedByTheCompiler = [
  // @ts-expect-error a running task has its runtime
  () => claim(aTask('running'), runtimeId, nowMs),
  // @ts-expect-error a cancelling task has its runtime
  () => claim(aTask('cancelling'), runtimeId, nowMs),
  // @ts-expect-error a final task never changes
  () => claim(aTask('failed'), runtimeId, nowMs),
  // @ts-expect-error nobody holds a queued task
  () => succeed(aTask('queued'), {}, nowMs),
  // @ts-expect-error a final task never changes
  () => succeed(aTask('cancelled'), {}, nowMs),
  // @ts-expect-error nobody holds a queued task
  () => failAttempt(aTask('queued'), broken, policy, nowMs),
  // @ts-expect-error a final task never changes
  () => failAttempt(aTask('succeeded'), broken, policy, nowMs),
  // @ts-expect-error nobody holds a queued task
  () => release(aTask('queued'), 'stop', nowMs),
  // @ts-expect-error a final task never changes
  () => release(aTask('timed_out'), 'stop', nowMs),
  // @ts-expect-error it is being cancelled already
  () => requestCancel(aTask('cancelling'), nowMs),
  // @ts-expect-error a final task never changes
  () => requestCancel(aTask('succeeded'), nowMs),
  // @ts-expect-error a final task never changes
  () => cancelled(aTask('succeeded'), 'nothing ran', nowMs),
  // @ts-expect-error a running task has been started in time
  () => expire(aTask('running'), nowMs),
  // @ts-expect-error a final task never changes
  () => expire(aTask('expired'), nowMs),
];
