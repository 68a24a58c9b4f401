import { describe, expect, it } from 'vitest';
import type { Agent } from '../../lib/domain/agent.ts';
import { archive, restore } from '../../lib/domain/agent-archive.ts';
import { anAgent, nowMs } from '../support/builders.ts';
import { given } from './given.ts';

const workspace = { generation: 5, manifestKey: 'm', manifestSha256: 's', bytes: 10, files: 2 };
const having = (differs: Partial<Agent> = {}): Partial<Agent> => ({ generations: [3, 4, 5], workspace, ...differs });

describe('an archive', () => {
  it('keeps the current generation only, and is due to remove the others', () => {
    given(anAgent('paused', having({ wanted: true, notBeforeMs: nowMs })))
      .when((agent) => archive(agent, nowMs))
      .becomes(
        {
          status: 'archived',
          statusReason: 'archived by request',
          statusSinceMs: nowMs,
          generations: [5],
          damaged: undefined,
          wanted: undefined,
          notBeforeMs: undefined,
          dueAtMs: nowMs,
          updatedMs: nowMs,
        },
        { type: 'agent.archived' },
      );
  });

  it('keeps the last good one besides a current one that is damaged', () => {
    const { agent } = archive(anAgent('error', having({ damaged: [4, 5] })), nowMs);
    expect(agent).toMatchObject({ generations: [3, 5], damaged: [5] });
  });

  it('keeps what is being copied', () => {
    const pins = [{ forkId: 'agt_x', generation: 4, checkMs: nowMs }];
    expect(archive(anAgent('paused', having({ pins })), nowMs).agent.generations).toEqual([4, 5]);
  });
});

describe('a restore', () => {
  it('gives a clean slate', () => {
    given(anAgent('archived', { crashesMs: [nowMs], launchTries: 3 }))
      .when((agent) => restore(agent, nowMs))
      .becomes(
        {
          status: 'paused',
          statusReason: undefined,
          statusSinceMs: nowMs,
          crashesMs: [],
          launchTries: 0,
          notBeforeMs: undefined,
          dueAtMs: nowMs,
          updatedMs: nowMs,
        },
        { type: 'agent.restored' },
      );
  });

  it('does not end a hold', () => {
    expect(restore(anAgent('archived', { held: true }), nowMs).agent).toMatchObject({
      held: true,
      statusReason: 'held',
    });
  });
});
