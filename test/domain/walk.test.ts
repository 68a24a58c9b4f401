import { describe, expect, it } from 'vitest';
import { type Agent, type AgentDecision, agentStatuses } from '../../lib/domain/agent.ts';
import { keepActive } from '../../lib/domain/agent-activity.ts';
import { archive, restore } from '../../lib/domain/agent-archive.ts';
import { holdSpent } from '../../lib/domain/agent-budget.ts';
import { fail, recover } from '../../lib/domain/agent-failure.ts';
import { abandonLaunch, enrol, launchFailed, start } from '../../lib/domain/agent-launch.ts';
import { create, hold, resume, terminate, update } from '../../lib/domain/agent-life.ts';
import { beginStop, goOn, runtimeLost, stopped } from '../../lib/domain/agent-stop.ts';
import { IllegalTransition, rearm } from '../../lib/domain/agent-transition.ts';
import { saveWorkspace } from '../../lib/domain/agent-workspace.ts';
import { idOf } from '../../lib/domain/id.ts';
import {
  cancelled,
  claim,
  expire,
  failAttempt,
  isFinished,
  type LiveTask,
  release,
  requestCancel,
  succeed,
  type TaskDecision,
} from '../../lib/domain/task.ts';
import { agentId, aTask, nowMs, randomFrom, runtimeId, ulid } from '../support/builders.ts';

const walks = 300;
const steps = 60;

type Random = () => number;
const oneOf = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
const chance = (random: Random) => random() < 0.5;

type Step = (agent: Agent) => AgentDecision;

/** Any transition of an agent, whether its status allows it or not. `proof` is there that its runtime is dead, or not. */
function agentStep(random: Random, atMs: number, proof: boolean): Step {
  const goal = chance(random) ? 'paused' : 'terminated';
  const runtime = idOf('runtime', ulid(Math.floor(random() * 1e6)), agentId);
  return oneOf<Step>(random, [
    (agent) => start(agent, runtime, 'work', atMs),
    (agent) => start(agent, runtime, 'work', atMs),
    (agent) => enrol(agent, atMs),
    (agent) => enrol(agent, atMs),
    (agent) => launchFailed(agent, 'no capacity', chance(random), atMs),
    (agent) => (proof ? runtimeLost(agent, 'gone', atMs) : resume(agent, atMs)),
    (agent) => beginStop(agent, random() < 0.9 ? 'paused' : 'terminated', chance(random), 'asked', atMs),
    (agent) => goOn(agent, 'work', atMs),
    (agent) => stopped(agent, 'goodbye', proof, atMs),
    (agent) => abandonLaunch(agent, random() < 0.9 ? 'paused' : goal, 'asked', atMs),
    (agent) => hold(agent, atMs),
    (agent) => holdSpent(agent, 'it has used all', atMs),
    (agent) => resume(agent, atMs),
    (agent) => fail(agent, 'workspace', atMs),
    (agent) => recover(agent, atMs),
    (agent) => (random() < 0.2 ? archive(agent, atMs) : restore(agent, atMs)),
    (agent) => restore(agent, atMs),
    (agent) => keepActive(agent, random() * 7200, chance(random), atMs),
    (agent) => (random() < 0.1 ? terminate(agent, atMs) : update(agent, { name: 'other' }, atMs)),
    (agent) =>
      saveWorkspace(agent, { generation: 1, manifestKey: 'k', manifestSha256: 's', bytes: 1, files: 1 }, 5, atMs),
    (agent) => rearm(agent, { dueAtMs: agent.runtimeId || chance(random) ? atMs + random() * 1e6 : undefined }),
    // Reconcile has seen one of them dead.
    (agent) => rearm(agent, { retired: agent.retired.slice(1) }),
  ]);
}

function checkAgent(before: Agent, { agent, events }: AgentDecision, proof: boolean): void {
  if (agent === before) {
    expect(events).toEqual([]);
    return;
  }
  expect(agent.version).toBe(before.version + 1);
  expect(events.length).toBeLessThanOrEqual(1);
  if (agent.status !== before.status) expect(events).toHaveLength(1);
  for (const { checkMs } of agent.retired) expect(agent.dueAtMs).toBeLessThanOrEqual(checkMs);
  const hasRuntime = ['starting', 'running', 'stopping'].includes(agent.status);
  expect(agent.runtimeId !== undefined, `an agent that is ${agent.status} has a runtime`).toBe(hasRuntime);
  expect(agent.goal !== undefined, `an agent that is ${agent.status} has a goal`).toBe(agent.status === 'stopping');
  if (hasRuntime) expect(agent.dueAtMs).toBeDefined();
  if (before.status === 'terminated') expect(agent.status).toBe('terminated');
  if (agent.status === 'terminated') expect([agent.held, agent.wanted]).toEqual([false, undefined]);
  const letGo = before.runtimeId !== undefined && agent.runtimeId !== before.runtimeId;
  if (letGo && !proof) expect(agent.retired.map((runtime) => runtime.id)).toContain(before.runtimeId);
}

describe('a random walk of an agent', () => {
  it(`holds to its rules in ${walks} walks, and reaches every status`, () => {
    const reached = new Set<string>();
    for (let seed = 1; seed <= walks; seed++) {
      const random = randomFrom(seed);
      let atMs = nowMs;
      const identity = { id: agentId, tenant: 'default', name: 'a', template: 't', templateVersion: 1 };
      let { agent } = create({ ...identity, overrides: {}, labels: {}, nowMs, start: chance(random) });
      for (let step = 0; step < steps; step++) {
        atMs += Math.floor(random() * 100_000);
        const proof = chance(random);
        const decide = agentStep(random, atMs, proof);
        try {
          const decision = decide(agent);
          checkAgent(agent, decision, proof);
          agent = decision.agent;
        } catch (error) {
          if (!(error instanceof IllegalTransition)) throw new Error(`Seed ${seed}, step ${step}`, { cause: error });
        }
        reached.add(agent.status);
      }
    }
    expect([...reached].sort()).toEqual([...agentStatuses].sort());
  });
});

const policy = { initialSeconds: 1, coefficient: 2, maxSeconds: 100, nonRetryable: ['exit_2'] };

/** Any transition that a task's status allows, or undefined at its end. */
function taskStep(random: Random, task: LiveTask, atMs: number): TaskDecision | undefined {
  switch (task.status) {
    case 'queued':
      if (random() < 0.9) return claim(task, runtimeId, atMs);
      return chance(random) ? expire(task, atMs) : requestCancel(task, atMs);
    case 'running':
    case 'cancelling':
      if (task.status === 'running' && random() < 0.1) return requestCancel(task, atMs);
      return oneOf<() => TaskDecision>(random, [
        () => release(task, 'its runtime stops', atMs),
        () => release(task, 'its runtime stops', atMs),
        () =>
          failAttempt(
            task,
            { code: oneOf(random, ['exit_1', 'exit_2', 'exit_75', 'timed_out']), message: '' },
            policy,
            atMs,
          ),
        () => failAttempt(task, { code: 'exit_1', message: '' }, policy, atMs),
        () => (random() < 0.3 ? succeed(task, {}, atMs) : release(task, 'again', atMs)),
        () => (task.status === 'cancelling' ? cancelled(task, 'gone', atMs) : release(task, 'again', atMs)),
      ])();
    default:
      return undefined;
  }
}

function checkTask(before: LiveTask, { task, events }: TaskDecision): void {
  expect(task.version).toBe(before.version + 1);
  expect(task.status).not.toBe(before.status);
  expect(events).toHaveLength(1);
  expect(task.attempt).toBe(before.attempt + (task.status === 'running' ? 1 : 0));
  expect(task.failures).toBeGreaterThanOrEqual(before.failures);
  expect(task.failures).toBeLessThanOrEqual(task.attempt);
  expect(task.failures).toBeLessThanOrEqual(isFinished(task) ? task.maxAttempts : task.maxAttempts - 1);
  expect([task.id, task.place, task.createdMs]).toEqual([before.id, before.place, before.createdMs]);
  if (task.status === 'queued') expect(task).not.toHaveProperty('runtimeId');
  if (task.status === 'running') expect(task.leaseUntilMs).toBe(task.startedMs + task.leaseSeconds * 1000);
}

describe('a random walk of a task', () => {
  it(`holds to its rules in ${walks} walks, and ends in every way`, () => {
    const ends = new Set<string>();
    for (let seed = 1; seed <= walks; seed++) {
      const random = randomFrom(seed);
      let atMs = nowMs;
      let task: LiveTask = aTask('queued', { maxAttempts: 1 + Math.floor(random() * 4) });
      for (let step = 0; step < steps; step++) {
        atMs += Math.floor(random() * 10_000);
        const decision = taskStep(random, task, atMs);
        if (!decision) break;
        try {
          checkTask(task, decision);
        } catch (error) {
          throw new Error(`Seed ${seed}, step ${step}: ${task.status} → ${decision.task.status}`, { cause: error });
        }
        task = decision.task;
      }
      if (isFinished(task)) ends.add(task.status);
    }
    expect([...ends].sort()).toEqual(['cancelled', 'expired', 'failed', 'succeeded', 'timed_out']);
  });
});
