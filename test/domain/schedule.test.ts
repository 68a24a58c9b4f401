import { describe, expect, it } from 'vitest';
import type {
  Overlap,
  RunningFire,
  Schedule,
  ScheduleDecision,
  ScheduleDefinition,
} from '../../lib/domain/schedule.ts';
import { buffered, maxBuffered, maxRunning, nextFires } from '../../lib/domain/schedule.ts';
import { advance, confirm, decisionsPerLook, type Sight } from '../../lib/domain/schedule-advance.ts';
import {
  create,
  pause,
  redefine,
  remove,
  requestBackfill,
  requestFire,
  resume,
} from '../../lib/domain/schedule-life.ts';
import { agentId, nowMs, taskId, ulid } from '../support/builders.ts';

const minute = 60_000;

function definition(differs: Partial<ScheduleDefinition> = {}): ScheduleDefinition {
  return {
    expression: 'rate(1 minute)',
    timezone: 'UTC',
    jitterSeconds: 0,
    target: { agentId, task: { input: 'x', output: { type: 'text' }, priority: 0, metadata: {} } },
    overlap: 'skip',
    catchupWindowSeconds: 31_536_000,
    pauseOnFailure: false,
    ...differs,
  };
}

/** A schedule that was made at `nowMs`. */
function aSchedule(differs: Partial<ScheduleDefinition> = {}, state: Partial<Schedule> = {}): Schedule {
  const command = { tenant: 'default', name: 's', seed: ulid(1), enabled: true, note: '', nowMs };
  return { ...create({ ...command, definition: definition(differs) }).schedule, ...state };
}

function running(minutes: number, differs: Partial<RunningFire> = {}): RunningFire {
  const scheduledMs = nowMs + minutes * minute;
  return { scheduledMs, cause: 'schedule', decidedMs: scheduledMs, begun: true, agentId, taskId, place: 0, ...differs };
}

function look(schedule: Schedule, minutes: number, differs: Partial<Sight> = {}): ScheduleDecision {
  return advance(schedule, { nowMs: nowMs + minutes * minute, ended: [], seedOf: () => ulid(9), ...differs });
}

const outcomes = ({ schedule }: ScheduleDecision) => schedule.unsettled.map(({ fire }) => fire.outcome);
const types = ({ events }: ScheduleDecision) => events.map(({ type }) => type);

describe('a look', () => {
  it('changes nothing when nothing is to be decided', () => {
    const schedule = aSchedule();
    expect(look(schedule, 0.5)).toEqual({ schedule, events: [] });
  });

  it('decides the same occurrence once', () => {
    const { schedule } = look(aSchedule(), 1);
    expect(schedule.running).toHaveLength(1);
    expect(look(schedule, 1).schedule).toBe(schedule);
  });

  it('decides a bounded number of a long backlog, and is due at once for the rest', () => {
    const first = look(aSchedule(), 100);
    expect(outcomes(first)).toHaveLength(decisionsPerLook);
    expect(first.schedule.decidedMs).toBe(nowMs + decisionsPerLook * minute);
    expect(first.schedule.dueAtMs).toBeLessThanOrEqual(nowMs + 100 * minute);
  });

  it('misses what is older than the catch-up window, and starts what is not', () => {
    const decision = look(aSchedule({ catchupWindowSeconds: 60, overlap: 'allow_all' }), 4);
    expect(outcomes(decision)).toEqual(['missed', 'missed', 'started', 'started']);
    expect(types(decision)).toEqual(['schedule.missed', 'schedule.missed']);
  });

  it('suspects EventBridge Scheduler when an occurrence came by itself', () => {
    const synced = aSchedule({}, { unsynced: false });
    expect(look(synced, 1.5).schedule.unsynced).toBe(false);
    expect(look(synced, 3.5).schedule.unsynced).toBe(true);
  });

  it('completes a schedule after its last occurrence', () => {
    const decision = look(aSchedule({ endMs: nowMs + minute }), 1);
    expect(decision.schedule).toMatchObject({ status: 'completed', unsynced: true });
    expect(types(decision)).toContain('schedule.completed');
  });
});

describe('limits', () => {
  it(`allow_all runs ${maxRunning} at once`, () => {
    const full = Array.from({ length: maxRunning }, (_, i) => running(-i - 1));
    const decision = look(aSchedule({ overlap: 'allow_all' }, { running: full }), 1);
    expect(outcomes(decision)).toEqual(['skipped']);
    expect(decision.schedule.unsettled[0]?.fire.reason).toContain(`${maxRunning} of its fires run`);
  });

  it(`buffer_all holds ${maxBuffered} back`, () => {
    const waiting = { scheduledMs: nowMs - minute, cause: 'schedule', decidedMs: nowMs } as const;
    const state = { running: [running(-2)], next: waiting, buffer: { given: maxBuffered - 2, taken: 0 } };
    const decision = look(aSchedule({ overlap: 'buffer_all' }, state), 2);
    expect(outcomes(decision)).toEqual(['buffered', 'skipped']);
    expect(buffered(decision.schedule)).toBe(maxBuffered);
  });

  it('twenty triggers may wait', () => {
    let schedule = aSchedule();
    const fire = (i: number) => ({ scheduledMs: nowMs + i, cause: 'trigger', decidedMs: nowMs }) as const;
    for (let i = 0; i < 20; i++) schedule = requestFire(schedule, fire(i), nowMs).schedule;
    expect(() => requestFire(schedule, fire(20), nowMs)).toThrow('20 triggers of this schedule wait already');
  });
});

describe('the buffer', () => {
  it('gives the next one its turn, and goes on when a row is lost', () => {
    const waiting = { scheduledMs: nowMs - 2 * minute, cause: 'schedule', decidedMs: nowMs } as const;
    const schedule = aSchedule({ overlap: 'buffer_all' }, { next: waiting, buffer: { given: 3, taken: 0 } });
    const second = { ...waiting, scheduledMs: nowMs - minute };
    const after = look(schedule, 0, { firstBuffered: { fire: second, number: 2 } }).schedule;
    expect(after.running.map(({ scheduledMs }) => scheduledMs)).toEqual([waiting.scheduledMs]);
    expect(after).toMatchObject({ next: second, buffer: { given: 3, taken: 2 } });
    expect(look(schedule, 0).schedule).toMatchObject({ next: undefined, buffer: { given: 3, taken: 3 } });
  });

  it('waits while the schedule is paused, but a trigger does not', () => {
    const waiting = { scheduledMs: nowMs - minute, cause: 'schedule', decidedMs: nowMs } as const;
    const schedule = pause(aSchedule({ overlap: 'buffer_one' }, { next: waiting }), 'later', nowMs).schedule;
    expect(look(schedule, 5).schedule).toBe(schedule);
    const fire = { scheduledMs: nowMs + 1, cause: 'trigger', decidedMs: nowMs } as const;
    expect(look(requestFire(schedule, fire, nowMs).schedule, 5).schedule).toMatchObject({
      next: waiting,
      running: [{ cause: 'trigger' }],
    });
  });
});

describe('a later fire takes the place of an earlier one', () => {
  it.each<[Overlap, string]>([
    ['cancel_other', 'cancel'],
    ['terminate_other', 'kill'],
  ])('%s asks what runs to end (%s), and waits', (overlap, stop) => {
    const decision = look(aSchedule({ overlap }, { running: [running(-1)] }), 1);
    expect(decision.schedule).toMatchObject({ running: [{ stop }], next: { scheduledMs: nowMs + minute } });
  });

  it('of several in one look only the last starts', () => {
    const decision = look(aSchedule({ overlap: 'cancel_other' }), 3);
    expect(outcomes(decision)).toEqual(['skipped', 'skipped', 'started']);
    expect(decision.schedule.running.map(({ scheduledMs }) => scheduledMs)).toEqual([nowMs + 3 * minute]);
  });

  it('a kill is not softened by a later cancel', () => {
    const state = { running: [running(-1, { stop: 'kill' })] };
    expect(look(aSchedule({ overlap: 'cancel_other' }, state), 1).schedule.running[0]?.stop).toBe('kill');
  });
});

describe('what was to start', () => {
  const begun = { scheduledMs: nowMs + minute };

  it('is told once it is there', () => {
    const { schedule } = look(aSchedule(), 1);
    const after = confirm(schedule, [begun], nowMs + minute);
    expect(types(after)).toEqual(['schedule.fired']);
    expect(after.schedule.running[0]?.begun).toBe(true);
  });

  it('failed, and pauses a schedule that can never do it', () => {
    const { schedule } = look(aSchedule(), 1);
    const failed = (forGood: boolean) => [{ ...begun, failed: { reason: 'it is gone', forGood } }];
    expect(confirm(schedule, failed(false), nowMs).schedule).toMatchObject({ status: 'active', running: [] });
    const gone = confirm(schedule, failed(true), nowMs);
    expect(gone.schedule).toMatchObject({ status: 'paused', statusReason: 'it is gone' });
    expect(outcomes(gone)).toEqual(['failed']);
  });
});

describe('a backfill', () => {
  const request = (overlap: Overlap) => {
    const range = { id: 'b', fromMs: nowMs - 3 * minute, toMs: nowMs, doneMs: nowMs - 3 * minute - 1, overlap };
    return requestBackfill(aSchedule({ expression: 'rate(1 day)' }), range, nowMs).schedule;
  };
  const found = { scheduledMs: [-3, -2, -1].map((n) => nowMs + n * minute), untilMs: nowMs };

  it('goes on where it stopped under buffer_all', () => {
    const first = look(request('buffer_all'), 0, { backfill: found }).schedule;
    expect(first.running).toHaveLength(1);
    expect(first.backfills[0]?.doneMs).toBe(nowMs - 3 * minute);
    expect(look(first, 0, { backfill: found }).schedule).toBe(first);
  });

  it('starts all beside each other under allow_all, and is done', () => {
    const decision = look(request('allow_all'), 0, { backfill: found });
    expect(decision.schedule).toMatchObject({ backfills: [] });
    expect(decision.schedule.running).toHaveLength(3);
    expect(types(decision)).toEqual(['schedule.backfill_finished']);
  });

  it('is the same when it is asked for twice', () => {
    const schedule = request('skip');
    const [known] = schedule.backfills;
    expect(requestBackfill(schedule, known!, nowMs).schedule).toBe(schedule);
  });
});

describe('what clients do', () => {
  it('a new expression counts from now, and what had just come due is decided by the old one', () => {
    const schedule = aSchedule({ expression: 'rate(1 hour)' }, { decidedMs: nowMs - minute });
    const change = { definition: definition({ expression: 'rate(2 hours)' }) };
    const { schedule: after, events } = redefine(schedule, change, nowMs + 30_000);
    expect(after.requests.map(({ scheduledMs }) => scheduledMs)).toEqual([nowMs]);
    expect(nextFires(after, nowMs + 30_000, 1)).toEqual([nowMs + 30_000 + 2 * 60 * minute]);
    expect(events).toEqual([{ type: 'schedule.updated', data: { fields: ['expression'] } }]);
  });

  it('the same definition again changes nothing', () => {
    const schedule = aSchedule();
    expect(redefine(schedule, { definition: definition() }, nowMs + minute).schedule).toBe(schedule);
  });

  it('what a pause left out is not made up for', () => {
    const { schedule } = resume(pause(aSchedule(), undefined, nowMs).schedule, undefined, nowMs + 60 * minute);
    expect(look(schedule, 60).schedule).toBe(schedule);
    expect(nextFires(schedule, nowMs, 1)).toEqual([nowMs + 61 * minute]);
  });

  it('a deleted schedule starts nothing, and remembers what runs until it has ended', () => {
    const { schedule } = remove(aSchedule({}, { running: [running(-1, { fresh: true })] }), nowMs);
    expect(look(schedule, 10).schedule).toBe(schedule);
    const ended = [{ scheduledMs: nowMs - minute, status: 'succeeded' as const, finishedMs: nowMs }];
    expect(look({ ...schedule, unsynced: false }, 10, { ended }).schedule).toMatchObject({
      running: [],
      dueAtMs: undefined,
    });
  });

  it('one that never fires is refused with its expression', () => {
    expect(() => aSchedule({ expression: 'at(2020-01-01T00:00:00)' })).toThrow('which never fires after');
    expect(() => aSchedule({ expression: 'cron(0 0 30 2 ? *)' })).toThrow('cron(0 0 30 2 ? *)');
  });
});
