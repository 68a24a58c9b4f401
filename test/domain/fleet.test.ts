import { describe, expect, it } from 'vitest';
import { type Findings, type Fleet, fleetLookMs, newFleet, reconciled, walks } from '../../lib/domain/fleet.ts';

const startMs = 1_800_000_000_000;
const nothing: Findings = {
  orphans: [],
  remaining: [],
  bells: [],
  forgotten: [],
  objects: [],
  counted: undefined,
  cursors: {},
};
const types = (events: { type: string }[]) => events.map(({ type }) => type);

function look(fleet: Fleet, findings: Partial<Findings>, looks: number) {
  return reconciled(fleet, { ...nothing, ...findings }, startMs + looks * fleetLookMs);
}

const orphans = [{ taskArn: 'arn:1', startedBy: 'x' }];

describe('an ECS task of nobody', () => {
  const marked = look(newFleet('default', startMs), { orphans }, 1);

  it('is marked at first', () => {
    expect(marked.stop).toEqual([]);
    expect(types(marked.events)).toEqual(['fleet.orphans_marked']);
  });

  it('is stopped by the next look, and told once, however often it takes', () => {
    const second = look(marked.fleet, { orphans, remaining: ['arn:1'] }, 2);
    expect(second.stop).toEqual(['arn:1']);
    expect(types(second.events)).toEqual(['fleet.orphans_stopped']);
    const third = look(second.fleet, { orphans, remaining: ['arn:1'] }, 3);
    expect(third.stop).toEqual(['arn:1']);
    expect(third.events).toEqual([]);
  });

  it('is not stopped by a look that comes at once', () => {
    expect(reconciled(marked.fleet, { ...nothing, orphans }, startMs + fleetLookMs + 1).stop).toEqual([]);
  });

  it('is forgotten when it has ended', () => {
    expect(look(marked.fleet, {}, 2).fleet.suspects).toEqual({});
  });

  it('is not stopped when it turns out to be somebody’s', () => {
    const second = look(marked.fleet, { remaining: ['arn:1'] }, 2);
    expect(second.stop).toEqual([]);
  });
});

describe('very many ECS tasks of nobody', () => {
  const orphans = Array.from({ length: 3000 }, (_, i) => ({ taskArn: `arn:${i}` }));
  const marked = look(newFleet('default', startMs), { orphans }, 1);

  it('are remembered as far as a head has room', () => {
    expect(Object.keys(marked.fleet.suspects)).toHaveLength(500);
    expect(marked.events).toMatchObject([{ data: { count: 500 } }]);
  });

  it('are stopped a hundred at a time, each in its turn', () => {
    const stopped = new Set<string>();
    let { fleet } = marked;
    for (let looks = 2; looks < 7; looks++) {
      const decision = look(fleet, { orphans }, looks);
      expect(decision.stop).toHaveLength(100);
      for (const taskArn of decision.stop) stopped.add(taskArn);
      fleet = decision.fleet;
    }
    expect(stopped.size).toBe(500);
  });
});

describe('a look', () => {
  it('that finds all in order says nothing, and comes again', () => {
    const { events, fleet } = look(newFleet('default', startMs), {}, 1);
    expect(events).toEqual([]);
    expect(fleet.dueAtMs).toBe(startMs + 2 * fleetLookMs);
  });

  it('that finds very much names some of it and counts all', () => {
    const bells = Array.from({ length: 100 }, (_, i) => `rt_${i}`);
    const [event] = look(newFleet('default', startMs), { bells }, 1).events;
    expect(event?.data).toMatchObject({ count: 100 });
    expect(event?.data?.runtimeIds).toHaveLength(20);
  });
});

describe('the walk through the bucket', () => {
  const begun = look(newFleet('default', startMs), { cursors: { objects: 'agents/x' } }, 1).fleet;
  const daysLater = (days: number) => startMs + fleetLookMs + days * 86_400_000;

  it('goes on until its end', () => {
    expect(walks(begun, daysLater(0))).toBe(true);
  });

  it('begins again a day after it began, however long it took', () => {
    const { fleet } = look(begun, {}, 50);
    expect([walks(fleet, daysLater(1) - 1), walks(fleet, daysLater(1))]).toEqual([false, true]);
  });
});
