import { describe, expect, it } from 'vitest';
import { headRefOf, partitionName, subjectOf } from '../../lib/domain/head.ts';
import { agentId, runtimeId } from '../support/builders.ts';

describe('what a message names', () => {
  it('is an agent or a run by its id, and a schedule or a pool by its name', () => {
    const heads = [
      { tenant: 'default', kind: 'agent', id: agentId },
      { tenant: 'default', kind: 'run', id: agentId.replace('agt_', 'run_') },
      { tenant: 'default', kind: 'schedule', id: 'every-night' },
      { tenant: 'default', kind: 'pool', id: 'reader' },
    ];
    for (const head of heads) expect(headRefOf({ ...head, ...{ more: 1 } })).toEqual(head);
  });

  it('is nothing of ours when its kind, its id or its tenant is not one', () => {
    const head = { tenant: 'default', kind: 'agent', id: agentId };
    for (const wrong of [{ kind: 'queue' }, { kind: undefined }, { id: runtimeId }, { id: 7 }, { tenant: undefined }])
      expect(headRefOf({ ...head, ...wrong })).toBeUndefined();
    expect(headRefOf({ tenant: 'default', kind: 'schedule', id: 'a#b' })).toBeUndefined();
  });
});

describe('a head', () => {
  it('shares its partition with all that ends with its code, or lies under its name', () => {
    expect(partitionName({ tenant: 'default', kind: 'agent', id: agentId })).toBe(agentId.slice(-8));
    expect(partitionName({ tenant: 'default', kind: 'schedule', id: 'nightly' })).toBe('nightly');
  });

  it('is told from others of another kind with the same name', () => {
    expect(subjectOf({ tenant: 'default', kind: 'schedule', id: 'a' })).not.toBe(
      subjectOf({ tenant: 'default', kind: 'pool', id: 'a' }),
    );
  });
});
