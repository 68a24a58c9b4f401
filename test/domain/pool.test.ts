import { describe, expect, it } from 'vitest';
import { brokenMs, crashLimit, decide, newPool, type Pool, shortage, surplus } from '../../lib/domain/pool.ts';
import { nowMs } from '../support/builders.ts';

const aPool = (differs: Partial<Pool> = {}): Pool => ({
  ...newPool('default', 'words', nowMs),
  wanted: 3,
  templateVersion: 2,
  ...differs,
});
const standby = (id: string, differs: object = {}) => ({ id, templateVersion: 2, ready: true, ...differs });
const crash = { type: 'lose', runtimeId: 'a', proof: 'exit code 1', ours: false, dead: true } as const;
const anyOf = () => false;

describe('a look at a pool', () => {
  it('is one change with the events of all that it found', () => {
    const pool = aPool({ standbys: [standby('a'), standby('b', { ready: false })] });
    const { pool: after, events } = decide(
      pool,
      [
        { type: 'hand_over', runtimeId: 'a', agentId: 'agt_1' },
        { type: 'welcome', runtimeId: 'b' },
        { type: 'launch', runtimeId: 'c' },
      ],
      nowMs,
    );
    expect(after).toEqual({
      ...pool,
      standbys: [standby('b'), standby('c', { ready: false })],
      version: pool.version + 1,
    });
    expect(events.map(({ type }) => type)).toEqual(['pool.taken_over', 'pool.ready', 'pool.launching']);
  });

  it('that finds nothing new changes nothing', () => {
    const pool = aPool();
    const aim = { type: 'aim', wanted: pool.wanted, templateVersion: pool.templateVersion } as const;
    expect(decide(pool, [aim], nowMs)).toEqual({ pool, events: [] });
  });

  it('keeps in mind whom it lets go of, until that is dead', () => {
    const pool = aPool({ standbys: [standby('a')] });
    const { pool: after } = decide(pool, [{ type: 'dismiss', runtimeId: 'a', reason: 'x' }], nowMs);
    expect(after).toMatchObject({ standbys: [], retired: [{ id: 'a' }] });
  });
});

describe('what a pool lacks', () => {
  it('is launched ten at a time', () => {
    expect(shortage(aPool({ wanted: 3, standbys: [standby('a')] }), nowMs)).toBe(2);
    expect(shortage(aPool({ wanted: 40 }), nowMs)).toBe(10);
    expect(shortage(aPool({ templateVersion: undefined }), nowMs)).toBe(0);
  });

  it('is what is outdated, then what has not come up, then the oldest', () => {
    const standbys = [standby('old', { templateVersion: 1 }), standby('first'), standby('slow', { ready: false })];
    const pool = aPool({ wanted: 1, standbys: [...standbys, standby('last')] });
    const gone = surplus(pool, ({ templateVersion }) => templateVersion === 1).map(({ runtimeId }) => runtimeId);
    expect(gone).toEqual(['old', 'slow', 'first']);
    expect(surplus(aPool({ standbys: [standby('a')] }), anyOf)).toEqual([]);
  });
});

describe('standbys that crash', () => {
  const crashes = (count: number) => {
    let pool = aPool();
    for (let i = 0; i < count; i++) pool = decide(pool, [crash], nowMs + i * 1000).pool;
    return pool;
  };

  it('are replaced after a while that doubles', () => {
    expect(crashes(1)).toMatchObject({ notBeforeMs: nowMs + 1000, launchTries: 1 });
    expect(crashes(3)).toMatchObject({ notBeforeMs: nowMs + 2000 + 4000, launchTries: 3 });
    expect(shortage(crashes(1), nowMs + 500)).toBe(0);
    expect(shortage(crashes(1), nowMs + 1000)).toBe(3);
  });

  it('five times in ten minutes stop the launching, until there is a new version', () => {
    const broken = crashes(crashLimit);
    expect(broken.notBeforeMs).toBe(nowMs + (crashLimit - 1) * 1000 + brokenMs);
    expect(broken.statusReason).toContain('crashed 5 times in ten minutes, the last one: exit code 1');
    const { pool: mended } = decide(broken, [{ type: 'aim', wanted: 3, templateVersion: 3 }], nowMs);
    expect(mended).toMatchObject({ notBeforeMs: undefined, crashesMs: [], statusReason: undefined });
  });

  it('for want of capacity never stop it', () => {
    let pool = aPool();
    for (let i = 0; i < 20; i++) pool = decide(pool, [{ ...crash, ours: true }], nowMs + i).pool;
    expect(pool).toMatchObject({ crashesMs: [] });
    expect(pool.notBeforeMs! - nowMs).toBeLessThan(301_000);
  });
});
