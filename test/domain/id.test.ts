import { describe, expect, it } from 'vitest';
import { codeOf, type IdKind, idOf, idPrefixes, isId, newId, newUlid, shardOf, timeOf } from '../../lib/domain/id.ts';
import { bytesFrom, nowMs } from '../support/builders.ts';

const random = bytesFrom(1);
const agent = newId('agent', nowMs, random);
const kinds = Object.keys(idPrefixes) as IdKind[];

describe('an id', () => {
  it('is a prefix and a ULID', () => {
    for (const kind of kinds) {
      const id = newId(kind, nowMs, random);
      expect(id).toMatch(new RegExp(`^${idPrefixes[kind]}_[0-9A-HJKMNP-TV-Z]{26}$`));
      expect(isId(kind, id)).toBe(true);
    }
  });

  it('tells when it was made', () => {
    for (const timeMs of [0, 1, nowMs, 2 ** 48 - 1]) expect(timeOf(newId('task', timeMs, random))).toBe(timeMs);
  });

  it('sorts by when it was made', () => {
    const times = [0, 31, 32, nowMs, nowMs + 1, 2 ** 47];
    const ids = times.map((timeMs) => newUlid(timeMs, random));
    expect([...ids].sort()).toEqual(ids);
  });

  it('is another each time', () => {
    const ids = new Set(Array.from({ length: 1000 }, () => newId('task', nowMs, random, agent)));
    expect(ids.size).toBe(1000);
  });

  it('is the same for the same ULID', () => {
    const seed = newUlid(nowMs, random);
    expect(idOf('task', seed, agent)).toBe(idOf('task', seed, agent));
    expect(timeOf(idOf('task', seed, agent))).toBe(nowMs);
  });

  it('of something that belongs to an agent ends with the agent’s code', () => {
    for (const kind of ['task', 'runtime'] as const)
      expect(codeOf(newId(kind, nowMs, random, agent))).toBe(codeOf(agent));
    expect(codeOf(agent)).toHaveLength(8);
  });
});

describe('what can’t be an id', () => {
  const ulid = agent.slice(4);
  const refused = {
    'another kind': `tsk_${ulid}`,
    'no prefix': ulid,
    'too short': `agt_${ulid.slice(1)}`,
    'too long': `agt_${ulid}0`,
    'lower case': `agt_${ulid.toLowerCase()}`,
    'a letter that the alphabet leaves out': `agt_${ulid.slice(0, -1)}U`,
    'a time beyond 48 bits': `agt_8${ulid.slice(1)}`,
    'a line end': `agt_${ulid}\n`,
    nothing: '',
  };
  for (const [what, id] of Object.entries(refused))
    it(`is ${what}`, () => {
      expect(isId('agent', id)).toBe(false);
    });
});

describe('a shard', () => {
  it('is always the same for an id, and below the count', () => {
    for (let i = 0; i < 200; i++) {
      const id = newId('agent', nowMs, random);
      expect(shardOf(id, 8)).toBe(shardOf(id, 8));
      expect(shardOf(id, 8)).toBeLessThan(8);
    }
  });

  it('gets its even share of ids', () => {
    const counts = new Array<number>(32).fill(0);
    for (let i = 0; i < 6400; i++) counts[shardOf(newId('agent', nowMs, random), 32)]! += 1;
    expect(Math.min(...counts)).toBeGreaterThan(140);
    expect(Math.max(...counts)).toBeLessThan(260);
  });
});
