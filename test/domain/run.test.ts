import { describe, expect, it } from 'vitest';
import { chain, type MappedStep, type Run, stateOf } from '../../lib/domain/run.ts';
import { dueOf } from '../../lib/domain/run-due.ts';
import { askToEnd, concludeEnding, endRun, isEnded } from '../../lib/domain/run-end.ts';
import { begin, expand, fold, joinableSteps, readySteps } from '../../lib/domain/run-steps.ts';
import { passTime, signal } from '../../lib/domain/run-waits.ts';
import type { Definition, Step } from '../../lib/domain/workflow.ts';
import { agentId, nowMs } from '../support/builders.ts';

const aStep = (id: string, differs: Partial<Step> = {}): Step => ({
  id,
  needs: [],
  agent: agentId,
  maxConcurrency: 2,
  output: { type: 'text' },
  ...differs,
});

const aDefinition = (...steps: Step[]): Definition => ({
  description: '',
  steps,
  onFailure: 'fail',
  timeoutSeconds: 600,
});

const aRun = (steps: Run['steps'] = {}, differs: Partial<Run> = {}): Run => ({
  id: 'run_01HX0000000000000000000001',
  tenant: 'default',
  workflow: 'flow',
  workflowVersion: 1,
  status: 'running',
  input: { inline: null },
  steps,
  depth: 0,
  createdMs: nowMs - 60_000,
  movedMs: nowMs - 10_000,
  deadlineMs: nowMs + 540_000,
  version: 3,
  ...differs,
});

const single = { status: 'running', startedMs: nowMs - 5_000, id: 'tsk_1', agentId } as const;
const mapped = (differs: Partial<MappedStep> = {}): MappedStep => ({
  status: 'running',
  startedMs: nowMs - 5_000,
  items: { inline: { items: [1, 2, 3, 4] } },
  total: 4,
  next: 2,
  active: [0, 1],
  succeeded: 0,
  failed: 0,
  ...differs,
});

describe('the end of a task', () => {
  const definition = aDefinition(aStep('a'));

  it('ends its step, and refers to its output', () => {
    const { run, events } = fold(
      aRun({ a: single }),
      definition,
      { step: 'a', id: 'tsk_1', status: 'succeeded' },
      nowMs,
    );
    expect(stateOf(run, 'a')).toMatchObject({ status: 'succeeded', output: { taskId: 'tsk_1' } });
    expect(events.map(({ type }) => type)).toEqual(['workflow.step_succeeded']);
  });

  it('that comes twice changes nothing the second time', () => {
    const end = { step: 'a', id: 'tsk_1', status: 'succeeded' };
    const once = fold(aRun({ a: single }), definition, end, nowMs).run;
    expect(fold(once, definition, end, nowMs)).toEqual({ run: once, events: [], effects: [] });
  });

  it.each([
    ['of another task', { step: 'a', id: 'tsk_2', status: 'succeeded' }],
    ['of an item of a step that has none', { step: 'a', item: 0, id: 'tsk_1', status: 'succeeded' }],
    ['of a step that is not there', { step: 'x', id: 'tsk_1', status: 'succeeded' }],
  ])('%s changes nothing', (_, end) => {
    const run = aRun({ a: single });
    expect(fold(run, definition, end, nowMs).run).toBe(run);
  });

  it('of a fresh agent cleans up, also the second time', () => {
    const fresh = aDefinition(aStep('a', { agent: undefined, template: 'echo' }));
    const end = { step: 'a', id: 'tsk_1', status: 'succeeded' };
    const first = fold(aRun({ a: single }), fresh, end, nowMs);
    const second = fold(first.run, fresh, end, nowMs);
    for (const { effects } of [first, second]) expect(effects).toEqual([{ type: 'clean', step: 'a', id: 'tsk_1' }]);
  });
});

describe('items', () => {
  const definition = aDefinition(aStep('a', { forEach: '{% $run.input %}' }));

  it('begin as others end, never more than maxConcurrency at a time', () => {
    const run = aRun({ a: mapped() });
    expect(expand(run, definition, 100).effects).toEqual([]);
    const decision = chain(
      fold(run, definition, { step: 'a', item: 1, id: 'tsk_b', status: 'succeeded' }, nowMs),
      (now) => expand(now, definition, 100),
    );
    expect(decision.effects).toEqual([{ type: 'start', step: 'a', item: 2 }]);
    expect(stateOf(decision.run, 'a')).toMatchObject({ active: [0, 2], next: 3, succeeded: 1 });
  });

  it('begin no more than the budget of one look', () => {
    const wide = aDefinition(aStep('a', { forEach: [], maxConcurrency: 1000 }));
    const run = aRun({ a: mapped({ total: 5000, next: 0, active: [] }) });
    expect(expand(run, wide, 100).effects).toHaveLength(100);
  });

  it('are joined when all are over, and not before', () => {
    expect(joinableSteps(aRun({ a: mapped({ next: 4, active: [3] }) }))).toEqual([]);
    expect(joinableSteps(aRun({ a: mapped({ next: 2, active: [] }) }))).toEqual([]);
    expect(joinableSteps(aRun({ a: mapped({ next: 4, active: [] }) }))).toEqual(['a']);
  });
});

describe('the end of a run', () => {
  const definition = aDefinition(aStep('a'), aStep('b', { needs: ['a'] }));
  const ending = { status: 'cancelled', error: { code: 'cancelled', message: 'by request' } } as const;

  it('asks what runs to end, once, and begins nothing', () => {
    const { run } = endRun(aRun({ a: single }), ending, nowMs);
    const asked = askToEnd(run, definition, 100);
    expect(asked.effects).toEqual([{ type: 'end', step: 'a' }]);
    expect(askToEnd(asked.run, definition, 100).effects).toEqual([]);
    expect(readySteps({ ...run, steps: {} }, definition)).toEqual([]);
  });

  it('comes only when nothing runs any more', () => {
    const { run } = endRun(aRun({ a: single }), ending, nowMs);
    expect(isEnded(run)).toBe(false);
    const ended = fold(run, definition, { step: 'a', id: 'tsk_1', status: 'cancelled' }, nowMs).run;
    expect(isEnded(ended)).toBe(true);
    const { run: over, events } = concludeEnding(ended, definition, nowMs);
    expect(over).toMatchObject({ status: 'cancelled', finishedMs: nowMs, error: ending.error });
    expect(stateOf(over, 'b').status).toBe('cancelled');
    expect(events).toEqual([{ type: 'workflow.run_cancelled', data: { seconds: 60, ...ending.error } }]);
  });

  it('has the first reason that came', () => {
    const { run } = endRun(aRun({ a: single }), ending, nowMs);
    const late = endRun(run, { status: 'failed', error: { code: 'x', message: 'y' } }, nowMs);
    expect(late).toEqual({ run, events: [], effects: [] });
  });

  it('comes by time alone', () => {
    const { run } = passTime(aRun({ a: single }, { deadlineMs: nowMs }), definition, nowMs);
    expect(run.ending).toMatchObject({ status: 'timed_out' });
  });
});

describe('a wait', () => {
  const waiting = aStep('w', { agent: undefined, waitFor: 'go', timeoutSeconds: 60 });
  const definition = aDefinition(waiting);

  it('takes the signal that came before it', () => {
    const kept = signal(aRun(), waiting, 'go', { inline: 1 }, nowMs).run;
    const { run } = begin(kept, definition, { step: 'w', type: 'wait' }, nowMs);
    expect(stateOf(run, 'w')).toMatchObject({ status: 'succeeded', output: { inline: 1 } });
  });

  it('is due when its time is over', () => {
    const { run, effects } = begin(aRun(), definition, { step: 'w', type: 'wait' }, nowMs);
    expect(effects).toEqual([{ type: 'timer', atMs: nowMs + 60_000 }]);
    expect(dueOf(run, nowMs)).toBe(nowMs + 60_000);
  });
});

describe('a run is due', () => {
  it('after as long as it has not moved, between half a minute and a quarter of an hour', () => {
    const dueIn = (stillMs: number) =>
      dueOf(aRun({ a: single }, { movedMs: nowMs - stillMs, deadlineMs: nowMs + 1e9 }), nowMs)! - nowMs;
    expect([dueIn(0), dueIn(100_000), dueIn(1e8)]).toEqual([30_000, 100_000, 900_000]);
  });

  it('at the time that it was due anyway, if that is sooner', () => {
    expect(dueOf(aRun({ a: single }, { dueAtMs: nowMs + 5_000 }), nowMs)).toBe(nowMs + 5_000);
  });

  it('never, once it is over', () => {
    expect(dueOf(aRun({}, { status: 'succeeded' }), nowMs)).toBeUndefined();
  });
});
