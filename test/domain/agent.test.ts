import { describe, expect, it } from 'vitest';
import { type Agent, type AgentDecision, type AgentStatus, agentStatuses } from '../../lib/domain/agent.ts';
import { archive, restore } from '../../lib/domain/agent-archive.ts';
import { fail, recover } from '../../lib/domain/agent-failure.ts';
import { copied, copyFailed, pin } from '../../lib/domain/agent-fork.ts';
import { abandonLaunch, enrol, launchDeadline, launchFailed, start } from '../../lib/domain/agent-launch.ts';
import { create, hold, resume, terminate, update } from '../../lib/domain/agent-life.ts';
import { beginStop, goOn, runtimeLost, stopped } from '../../lib/domain/agent-stop.ts';
import { fallBack, rollBack, saveWorkspace } from '../../lib/domain/agent-workspace.ts';
import { agentId, anAgent, nowMs, runtimeId } from '../support/builders.ts';
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
const workspace = { generation: 4, manifestKey: 'agents/m', manifestSha256: 'aa', bytes: 10, files: 2 };

const otherAgentId = 'agt_other';
const damage = { generation: 4, reason: 'a pack is gone', savedMs: nowMs };

describe('what each status refuses', () => {
  const transitions: [string, AgentStatus[], (agent: Agent) => AgentDecision][] = [
    ['update', ['paused', 'starting', 'running', 'stopping', 'archived', 'error'], (a) => update(a, {}, nowMs)],
    ['start', ['paused'], (a) => start(a, runtimeId, 'work', nowMs)],
    ['enrol', ['starting'], (a) => enrol(a, nowMs)],
    ['launchFailed', ['starting'], (a) => launchFailed(a, 'no capacity', true, nowMs)],
    ['runtimeLost', ['running', 'stopping'], (a) => runtimeLost(a, 'STOPPED', nowMs)],
    ['beginStop', ['running', 'stopping'], (a) => beginStop(a, 'paused', false, 'asked', nowMs)],
    ['goOn', ['stopping'], (a) => goOn(a, 'work arrived', nowMs)],
    ['stopped', ['stopping'], (a) => stopped(a, 'goodbye', false, nowMs)],
    ['abandonLaunch', ['starting'], (a) => abandonLaunch(a, 'paused', 'asked', nowMs)],
    ['hold', ['paused', 'starting', 'running', 'stopping'], (a) => hold(a, nowMs)],
    ['resume', ['paused', 'starting', 'running', 'stopping'], (a) => resume(a, nowMs)],
    ['fail', ['stopping'], (a) => fail(a, 'workspace', nowMs)],
    ['recover', ['error'], (a) => recover(a, nowMs)],
    ['terminate', ['paused', 'archived', 'error'], (a) => terminate(a, nowMs)],
    ['saveWorkspace', ['running', 'stopping'], (a) => saveWorkspace(a, workspace, 5, nowMs)],
    ['archive', ['paused', 'error'], (a) => archive(a, nowMs)],
    ['restore', ['archived'], (a) => restore(a, nowMs)],
    ['pin', ['paused', 'starting', 'running', 'stopping', 'archived', 'error'], (a) => pin(a, otherAgentId, 4, nowMs)],
    ['copied', ['paused'], (a) => copied(a, workspace, nowMs)],
    ['copyFailed', ['paused'], (a) => copyFailed(a, 'a pack is gone', nowMs)],
    ['rollBack', ['paused', 'archived', 'error'], (a) => rollBack(a, workspace, nowMs)],
    ['fallBack', ['running', 'stopping'], (a) => fallBack(a, damage, undefined, nowMs)],
  ];
  for (const [name, allowed, decide] of transitions) {
    for (const status of agentStatuses) {
      if (allowed.includes(status))
        it(`${name} is possible while ${status}`, () => {
          expect(() => decide(anAgent(status))).not.toThrow();
        });
      else
        it(`${name} is refused while ${status}`, () => {
          given(anAgent(status)).when(decide).isRefused(allowed);
        });
    }
  }
});

describe('a new agent', () => {
  const command = {
    id: agentId,
    tenant: 'default',
    name: 'writer',
    template: 'words',
    templateVersion: 2,
    overrides: {},
    labels: { team: 'a' },
    nowMs,
  };

  it('is paused, and not due', () => {
    const { agent, events } = create({ ...command, start: false });
    expect(agent).toMatchObject({ status: 'paused', version: 1, createdMs: nowMs, labels: { team: 'a' } });
    expect(agent.dueAtMs).toBeUndefined();
    expect(events).toEqual([
      { type: 'agent.created', data: { name: 'writer', template: 'words', templateVersion: 2 } },
    ]);
  });

  it('is due at once when it is to start', () => {
    expect(create({ ...command, start: true }).agent).toMatchObject({ status: 'paused', wanted: true, dueAtMs: nowMs });
  });

  it('keeps nothing of the command that is not its own', () => {
    const { agent } = create({ ...command, start: true });
    expect(agent).not.toHaveProperty('start');
    expect(agent).not.toHaveProperty('nowMs');
  });
});

describe('a change of settings', () => {
  it('names the fields that it changed', () => {
    given(anAgent('running'))
      .when((agent) => update(agent, { name: 'editor', labels: { a: 'b' } }, nowMs))
      .becomes(
        { name: 'editor', labels: { a: 'b' }, updatedMs: nowMs },
        { type: 'agent.updated', data: { fields: ['name', 'labels'] } },
      );
  });
});

describe('a launch', () => {
  it('gives the agent a runtime, and is looked at after a minute', () => {
    given(anAgent('paused', { idleSinceMs: 5, notBeforeMs: 9, launchTries: 1 }))
      .when((agent) => start(agent, runtimeId, 'task waits', nowMs))
      .becomes(
        {
          ...since,
          status: 'starting',
          statusReason: 'task waits',
          runtimeId,
          runtimeSinceMs: nowMs,
          idleSinceMs: undefined,
          notBeforeMs: undefined,
          dueAtMs: nowMs + 60_000,
        },
        { type: 'agent.starting', data: { runtimeId, reason: 'task waits', attempt: 2, warm: false } },
      );
  });

  it('ends when its runtime enrols', () => {
    given(anAgent('starting', { launchTries: 2, wanted: true, statusReason: 'task waits' }))
      .when((agent) => enrol(agent, nowMs))
      .becomes(
        {
          ...since,
          status: 'running',
          statusReason: undefined,
          runtimeSinceMs: nowMs,
          launchTries: 0,
          wanted: undefined,
          idleSinceMs: nowMs,
          dueAtMs: nowMs + 120_000,
        },
        { type: 'agent.running', data: { runtimeId, startSeconds: 10 } },
      );
  });

  it('that fails is tried again after a second, and its runtime is looked after', () => {
    given(anAgent('starting'))
      .when((agent) => launchFailed(agent, 'no capacity', true, nowMs))
      .becomes(
        {
          ...since,
          ...noRuntime,
          status: 'paused',
          statusReason: 'launch failed: no capacity; next try in 1 s',
          launchTries: 1,
          retired: [{ id: runtimeId, checkMs: nowMs }],
          notBeforeMs: nowMs + 1000,
          dueAtMs: nowMs,
        },
        { type: 'agent.launch_failed', data: { runtimeId, reason: 'no capacity', retryInSeconds: 1 } },
      );
  });

  it('is tried again ever later, and after five minutes at the latest', () => {
    const delays = [0, 1, 2, 8, 9, 20, 2000].map((launchTries) => {
      const { agent } = launchFailed(anAgent('starting', { launchTries }), 'no capacity', true, nowMs);
      return (agent.notBeforeMs! - nowMs) / 1000;
    });
    expect(delays).toEqual([1, 2, 4, 256, 300, 300, 300]);
  });

  it('stays wanted without work when it fails', () => {
    const { agent: starting } = start(anAgent('paused', { wanted: true }), runtimeId, 'start requested', nowMs);
    expect(launchFailed(starting, 'no capacity', true, nowMs).agent.wanted).toBe(true);
  });

  it('of which the fifth in ten minutes fails by the agent itself is an error', () => {
    const crashesMs = [nowMs - 500_000, nowMs - 400_000, nowMs - 300_000, nowMs - 200_000];
    given(anAgent('starting', { crashesMs, launchTries: 4 }))
      .when((agent) => launchFailed(agent, 'exit 1', false, nowMs))
      .becomes(
        {
          ...since,
          ...noRuntime,
          status: 'error',
          statusReason: 'exit 1',
          crashesMs: [...crashesMs, nowMs],
          launchTries: 5,
          retired: [{ id: runtimeId, checkMs: nowMs }],
          dueAtMs: nowMs,
        },
        { type: 'agent.failed', data: { runtimeId, reason: 'exit 1' } },
      );
  });

  it('that fails by the agent itself counts only with those of the last ten minutes', () => {
    const crashesMs = [nowMs - 700_000, nowMs - 600_000, nowMs - 599_999, nowMs - 1];
    const { agent } = launchFailed(anAgent('starting', { crashesMs }), 'exit 1', false, nowMs);
    expect(agent.crashesMs).toEqual([nowMs - 599_999, nowMs - 1, nowMs]);
    expect(agent.status).toBe('paused');
  });

  it('that nobody wants any more is let go of', () => {
    given(anAgent('starting', { wanted: true }))
      .when((agent) => abandonLaunch(agent, 'paused', 'pause requested', nowMs))
      .becomes(
        {
          ...since,
          ...noRuntime,
          status: 'paused',
          statusReason: 'pause requested',
          wanted: undefined,
          idleSinceMs: nowMs,
          retired: [{ id: runtimeId, checkMs: nowMs }],
          dueAtMs: nowMs,
        },
        { type: 'agent.paused', data: { runtimeId, reason: 'pause requested' } },
      );
  });

  it('of an agent that is to end is let go of, and the agent ends', () => {
    given(anAgent('starting'))
      .when((agent) => abandonLaunch(agent, 'terminated', 'asked', nowMs))
      .becomes(
        {
          ...since,
          ...noRuntime,
          status: 'terminated',
          retired: [{ id: runtimeId, checkMs: nowMs }],
          dueAtMs: nowMs,
        },
        { type: 'agent.terminated' },
      );
  });

  it('may take longer with each that failed, up to half an hour', () => {
    const deadlines = [0, 1, 2, 3, 4, 50].map((launchTries) => launchDeadline(anAgent('starting', { launchTries })));
    expect(deadlines).toEqual([120_000, 240_000, 480_000, 960_000, 1_800_000, 1_800_000]);
  });
});

describe('a runtime that was lost', () => {
  it('is replaced at once the first time', () => {
    given(anAgent('running', { suspectSinceMs: nowMs - 1, waiting: true }))
      .when((agent) => runtimeLost(agent, 'ECS says STOPPED', nowMs))
      .becomes(
        {
          ...since,
          ...noRuntime,
          status: 'paused',
          statusReason: 'its runtime was lost: ECS says STOPPED',
          crashesMs: [nowMs],
          notBeforeMs: nowMs,
          dueAtMs: nowMs,
        },
        { type: 'agent.runtime_lost', data: { runtimeId, proof: 'ECS says STOPPED' } },
      );
  });

  it('is replaced later with each crash within ten minutes', () => {
    const delays = [1, 2, 3].map((earlier) => {
      const crashesMs = Array.from({ length: earlier }, (_, i) => nowMs - 1000 * (i + 1));
      return runtimeLost(anAgent('running', { crashesMs }), 'gone', nowMs).agent.notBeforeMs! - nowMs;
    });
    expect(delays).toEqual([1000, 2000, 4000]);
  });

  it('is not replaced after the fifth crash within ten minutes', () => {
    const crashesMs = [1, 2, 3, 4].map((seconds) => nowMs - seconds * 1000);
    const { agent, events } = runtimeLost(anAgent('running', { crashesMs }), 'exit 137', nowMs);
    expect(agent).toMatchObject({ status: 'error', runtimeId: undefined, dueAtMs: undefined });
    expect(agent.statusReason).toBe('its runtimes crashed 5 times in ten minutes, the last one: exit 137');
    expect(events).toEqual([{ type: 'agent.failed', data: { runtimeId, reason: agent.statusReason } }]);
  });

  it('while it was stopping has stopped, and is no crash', () => {
    given(anAgent('stopping', { statusReason: 'idle' }))
      .when((agent) => runtimeLost(agent, 'ECS says STOPPED', nowMs))
      .becomes(
        {
          ...since,
          ...noRuntime,
          status: 'paused',
          statusReason: 'idle',
          idleSinceMs: nowMs,
          dueAtMs: undefined,
        },
        { type: 'agent.paused', data: { runtimeId, reason: 'idle', proof: 'ECS says STOPPED' } },
      );
  });
});
