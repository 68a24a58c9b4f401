import { describe, expect, it } from 'vitest';
import { fail, recover } from '../../lib/domain/agent-failure.ts';
import { hold, resume, terminate } from '../../lib/domain/agent-life.ts';
import { beginStop, goOn, stopped } from '../../lib/domain/agent-stop.ts';
import { rearm } from '../../lib/domain/agent-transition.ts';
import { anAgent, nowMs, otherRuntimeId, runtimeId } from '../support/builders.ts';
import { given } from './given.ts';

/** What an agent that has let go of its runtime no longer has. */
const noRuntime = {
  runtimeId: undefined,
  runtimeSinceMs: undefined,
  waiting: false,
  suspectSinceMs: undefined,
  goal: undefined,
  forced: undefined,
};
const since = { statusSinceMs: nowMs, updatedMs: nowMs };

describe('a stop', () => {
  it('begins with what it is for', () => {
    given(anAgent('running'))
      .when((agent) => beginStop(agent, 'paused', true, 'pause requested', nowMs))
      .becomes(
        {
          ...since,
          status: 'stopping',
          statusReason: 'pause requested',
          goal: 'paused',
          forced: true,
          dueAtMs: nowMs + 120_000,
        },
        { type: 'agent.stopping', data: { runtimeId, reason: 'pause requested', goal: 'paused' } },
      );
  });

  it('that is under way may become a termination, and goes on since when it began', () => {
    given(anAgent('stopping'))
      .when((agent) => beginStop(agent, 'terminated', true, 'asked', nowMs))
      .becomes(
        {
          updatedMs: nowMs,
          statusReason: 'asked',
          goal: 'terminated',
          forced: true,
          dueAtMs: nowMs + 120_000,
        },
        { type: 'agent.stopping', data: { runtimeId, reason: 'asked', goal: 'terminated' } },
      );
  });

  it('of a termination stays one when a pause is asked for, and the event says so', () => {
    const { agent, events } = beginStop(anAgent('stopping', { goal: 'terminated' }), 'paused', false, 'asked', nowMs);
    expect(agent.goal).toBe('terminated');
    expect(events[0]?.data).toMatchObject({ goal: 'terminated' });
  });

  it('stays forced once it was', () => {
    expect(beginStop(anAgent('stopping', { forced: true }), 'paused', false, 'asked', nowMs).agent.forced).toBe(true);
  });

  it('is taken back when work has arrived', () => {
    given(anAgent('stopping', { statusReason: 'idle', forced: true }))
      .when((agent) => goOn(agent, 'work arrived', nowMs))
      .becomes(
        {
          ...since,
          status: 'running',
          statusReason: undefined,
          goal: undefined,
          forced: undefined,
          dueAtMs: nowMs + 120_000,
        },
        { type: 'agent.running', data: { runtimeId, reason: 'work arrived' } },
      );
  });

  it('by a goodbye is believed, and checked three minutes later', () => {
    given(anAgent('stopping', { statusReason: 'idle' }))
      .when((agent) => stopped(agent, 'goodbye', false, nowMs))
      .becomes(
        {
          ...since,
          ...noRuntime,
          status: 'paused',
          statusReason: 'idle',
          idleSinceMs: nowMs,
          retired: [{ id: runtimeId, checkMs: nowMs + 180_000 }],
          dueAtMs: nowMs + 180_000,
        },
        { type: 'agent.paused', data: { runtimeId, reason: 'idle', proof: 'goodbye' } },
      );
  });

  it('of a held agent says that it is held', () => {
    expect(stopped(anAgent('stopping', { held: true }), 'goodbye', true, nowMs).agent.statusReason).toBe('held');
  });

  it('of an agent that was resumed meanwhile leaves it due at once', () => {
    const { agent } = stopped(anAgent('stopping', { wanted: true }), 'goodbye', false, nowMs);
    expect(agent).toMatchObject({ status: 'paused', wanted: true, dueAtMs: nowMs });
  });

  it('of an agent that is to end is its end', () => {
    given(anAgent('stopping', { goal: 'terminated', held: true, wanted: true }))
      .when((agent) => stopped(agent, 'goodbye', false, nowMs))
      .becomes(
        {
          ...since,
          ...noRuntime,
          status: 'terminated',
          held: false,
          wanted: undefined,
          retired: [{ id: runtimeId, checkMs: nowMs + 180_000 }],
          dueAtMs: nowMs,
        },
        { type: 'agent.terminated' },
      );
  });

  it('with a complaint is an error, and its runtime is looked after', () => {
    given(anAgent('stopping'))
      .when((agent) => fail(agent, 'its workspace could not be restored', nowMs))
      .becomes(
        {
          ...since,
          ...noRuntime,
          status: 'error',
          statusReason: 'its workspace could not be restored',
          retired: [{ id: runtimeId, checkMs: nowMs }],
          dueAtMs: nowMs,
        },
        { type: 'agent.failed', data: { runtimeId, reason: 'its workspace could not be restored' } },
      );
  });
});

describe('a hold', () => {
  it('says why a paused agent does not wake', () => {
    given(anAgent('paused'))
      .when((agent) => hold(agent, nowMs))
      .becomes({ held: true, statusReason: 'held', updatedMs: nowMs }, { type: 'agent.held' });
  });

  it('leaves the reason of what is under way', () => {
    given(anAgent('stopping', { statusReason: 'idle' }))
      .when((agent) => hold(agent, nowMs))
      .becomes({ held: true, updatedMs: nowMs }, { type: 'agent.held' });
  });

  it('ends by a resume, which wants a runtime', () => {
    given(anAgent('paused', { held: true, statusReason: 'held' }))
      .when((agent) => resume(agent, nowMs))
      .becomes(
        { held: false, statusReason: undefined, wanted: true, dueAtMs: nowMs, updatedMs: nowMs },
        { type: 'agent.resumed' },
      );
  });

  it('of a running agent ends without more', () => {
    given(anAgent('running', { held: true }))
      .when((agent) => resume(agent, nowMs))
      .becomes({ held: false, updatedMs: nowMs }, { type: 'agent.resumed' });
  });
});

describe('a resume', () => {
  for (const status of ['starting', 'running'] as const)
    it(`leaves an agent that is ${status} as it is`, () => {
      given(anAgent(status))
        .when((agent) => resume(agent, nowMs))
        .staysAsItIs();
    });
});

describe('an error', () => {
  it('is left with a clean slate', () => {
    given(anAgent('error', { statusReason: 'x', crashesMs: [1, 2], launchTries: 3, notBeforeMs: nowMs + 5 }))
      .when((agent) => recover(agent, nowMs))
      .becomes(
        {
          ...since,
          status: 'paused',
          statusReason: undefined,
          crashesMs: [],
          launchTries: 0,
          notBeforeMs: undefined,
          dueAtMs: nowMs,
        },
        { type: 'agent.recovered' },
      );
  });
});

describe('the end of an agent', () => {
  it('is looked at at once, and wants nothing more', () => {
    given(anAgent('paused', { held: true, wanted: true, statusReason: 'held', idleSinceMs: 5 }))
      .when((agent) => terminate(agent, nowMs))
      .becomes(
        {
          ...since,
          status: 'terminated',
          statusReason: undefined,
          held: false,
          wanted: undefined,
          idleSinceMs: undefined,
          dueAtMs: nowMs,
        },
        { type: 'agent.terminated' },
      );
  });
});

describe('another time to look', () => {
  it('is no event', () => {
    given(anAgent('running'))
      .when((agent) => rearm(agent, { dueAtMs: nowMs + 5, suspectSinceMs: nowMs }))
      .becomes({ dueAtMs: nowMs + 5, suspectSinceMs: nowMs });
  });

  it('is never later than the check of a runtime that was let go of', () => {
    const retired = [
      { id: otherRuntimeId, checkMs: nowMs + 900 },
      { id: runtimeId, checkMs: nowMs + 300 },
    ];
    for (const dueAtMs of [undefined, nowMs + 301])
      expect(rearm(anAgent('paused', { retired }), { dueAtMs }).agent.dueAtMs).toBe(nowMs + 300);
    expect(rearm(anAgent('paused', { retired }), { dueAtMs: nowMs }).agent.dueAtMs).toBe(nowMs);
  });
});
