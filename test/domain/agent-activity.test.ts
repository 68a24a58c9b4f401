import { describe, expect, it } from 'vitest';
import { keepActive, longestActivityMs, longestLeaseMs } from '../../lib/domain/agent-activity.ts';
import { runtimeLost, stopped } from '../../lib/domain/agent-stop.ts';
import { anAgent, nowMs } from '../support/builders.ts';
import { given } from './given.ts';

const kept = (untilMs: number) => ({ type: 'agent.kept_active', data: { until: new Date(untilMs).toISOString() } });

describe('an activity lease', () => {
  it('lasts as long as it says', () => {
    given(anAgent('running'))
      .when((agent) => keepActive(agent, 90, false, nowMs))
      .becomes({ activeUntilMs: nowMs + 90_000, activeSinceMs: nowMs, updatedMs: nowMs }, kept(nowMs + 90_000));
  });

  it('lasts for an hour at most', () => {
    const { agent } = keepActive(anAgent('running'), 86_400, false, nowMs);
    expect(agent.activeUntilMs).toBe(nowMs + longestLeaseMs);
  });

  it('never shortens another', () => {
    given(anAgent('running', { activeUntilMs: nowMs + 500_000, activeSinceMs: nowMs }))
      .when((agent) => keepActive(agent, 90, false, nowMs))
      .staysAsItIs();
  });

  it('ends four hours after the first one in a row', () => {
    const sinceMs = nowMs - longestActivityMs + 60_000;
    const { agent } = keepActive(anAgent('running', { activeSinceMs: sinceMs }), 3600, false, nowMs);
    expect(agent.activeUntilMs).toBe(nowMs + 60_000);
  });

  it('begins a new row while a task runs', () => {
    const sinceMs = nowMs - longestActivityMs;
    const { agent } = keepActive(anAgent('running', { activeSinceMs: sinceMs }), 600, true, nowMs);
    expect(agent).toMatchObject({ activeSinceMs: nowMs, activeUntilMs: nowMs + 600_000 });
  });

  it.each(['paused', 'stopping', 'archived', 'error', 'terminated'] as const)(
    'is refused to one that is %s',
    (status) => {
      given(anAgent(status))
        .when((agent) => keepActive(agent, 90, false, nowMs))
        .isRefused(['starting', 'running']);
    },
  );

  it('ends with the runtime, by its goodbye or its death', () => {
    const lease = { activeUntilMs: nowMs + 600_000, activeSinceMs: nowMs };
    const none = { activeUntilMs: undefined, activeSinceMs: undefined };
    expect(stopped(anAgent('stopping', lease), 'goodbye', false, nowMs).agent).toMatchObject(none);
    expect(runtimeLost(anAgent('running', lease), 'gone', nowMs).agent).toMatchObject(none);
  });
});
