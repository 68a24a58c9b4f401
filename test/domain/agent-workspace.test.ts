import { describe, expect, it } from 'vitest';
import type { Agent } from '../../lib/domain/agent.ts';
import { fallBack, goodBefore, rollBack, saveWorkspace } from '../../lib/domain/agent-workspace.ts';
import { anAgent, nowMs } from '../support/builders.ts';
import { given } from './given.ts';

const generation = (number: number) => ({
  generation: number,
  manifestKey: `manifest-${number}`,
  manifestSha256: 's',
  bytes: 10,
  files: 2,
});

/** An agent that keeps these generations, the last of which is the current one unless it says otherwise. */
const having = (generations: number[], differs: Partial<Agent> = {}): Partial<Agent> => ({
  generations,
  lastGeneration: generations.at(-1),
  workspace: generation(generations.at(-1)!),
  ...differs,
});

describe('a save', () => {
  it('is what the next runtime starts from', () => {
    given(anAgent('stopping', having([3])))
      .when((agent) => saveWorkspace(agent, generation(4), 5, nowMs))
      .becomes(
        { workspace: generation(4), generations: [3, 4], lastGeneration: 4, damaged: undefined, updatedMs: nowMs },
        { type: 'agent.workspace_saved', data: { generation: 4, bytes: 10, files: 2 } },
      );
  });

  const save = (differs: Partial<Agent>, keep: number) =>
    saveWorkspace(anAgent('running', differs), generation(9), keep, nowMs).agent;

  it('keeps as many as the template says', () => {
    expect(save(having([4, 5, 6, 7, 8]), 3).generations).toEqual([7, 8, 9]);
  });

  it('counts only good ones among those that it keeps', () => {
    const after = save(having([4, 5, 6, 7, 8], { damaged: [4, 7] }), 3);
    expect(after).toMatchObject({ generations: [6, 7, 8, 9], damaged: [7] });
  });
});

describe('a rollback', () => {
  it('moves the pointer, and removes nothing', () => {
    given(anAgent('paused', having([3, 4, 5])))
      .when((agent) => rollBack(agent, generation(3), nowMs))
      .becomes(
        { workspace: generation(3), updatedMs: nowMs },
        { type: 'agent.workspace_rolled_back', data: { from: 5, generation: 3 } },
      );
  });

  it('to where it is changes nothing', () => {
    given(anAgent('paused', having([3])))
      .when((agent) => rollBack(agent, generation(3), nowMs))
      .staysAsItIs();
  });
});

describe('a damaged generation', () => {
  const damage = { generation: 5, reason: 'a pack is gone', savedMs: nowMs - 60_000 };

  it('is replaced by a good one, and the event says what was lost', () => {
    given(anAgent('running', having([3, 4, 5])))
      .when((agent) => fallBack(agent, damage, { workspace: generation(4), savedMs: nowMs - 90_000 }, nowMs))
      .becomes(
        {
          workspace: generation(4),
          damaged: [5],
          statusReason: 'generation 5 of its workspace is damaged; it went on from 4',
          updatedMs: nowMs,
        },
        {
          type: 'agent.workspace_damaged',
          data: {
            generation: 5,
            reason: 'a pack is gone',
            lost: { savedAt: '2027-01-04T07:59:00.000Z', bytes: 10, files: 2 },
            restored: { generation: 4, savedAt: '2027-01-04T07:58:30.000Z' },
          },
        },
      );
  });

  it('stays the current one when none is good', () => {
    const { agent, events } = fallBack(anAgent('running', having([5])), damage, undefined, nowMs);
    expect(agent).toMatchObject({ workspace: generation(5), damaged: [5] });
    expect(events[0]?.data).toMatchObject({ restored: null });
  });

  it('is followed by the newest good one before it', () => {
    expect(goodBefore(anAgent('running', having([2, 3, 4, 5, 6], { damaged: [4] })), 5)).toEqual([3, 2]);
  });
});
