import { expect, it } from 'vitest';
import type { Run } from '../../lib/domain/run.ts';
import { askToEnd, endRun } from '../../lib/domain/run-end.ts';
import { expand } from '../../lib/domain/run-steps.ts';
import type { Definition, Step } from '../../lib/domain/workflow.ts';
import { agentId, nowMs } from '../support/builders.ts';

const aStep = (id: string, maxConcurrency = 1): Step => ({
  id,
  needs: [],
  agent: agentId,
  maxConcurrency,
  output: { type: 'text' },
});

const aDefinition = (...steps: Step[]): Definition => ({
  description: '',
  steps,
  onFailure: 'fail',
  timeoutSeconds: 600,
});

const aRun = (steps: Run['steps']): Run => ({
  id: 'run_01HX0000000000000000000001',
  tenant: 'default',
  workflow: 'flow',
  workflowVersion: 1,
  status: 'running',
  input: { inline: null },
  steps,
  depth: 0,
  createdMs: nowMs,
  movedMs: nowMs,
  deadlineMs: nowMs + 600_000,
  version: 1,
});

const cancelled = (force: boolean) =>
  ({ status: 'cancelled', error: { code: 'cancelled', message: 'It was cancelled.' }, force }) as const;

it('asks what is ending again when force is wanted after all', () => {
  const definition = aDefinition(aStep('a'));
  const run = aRun({ a: { status: 'running', startedMs: nowMs, id: 'tsk_1', agentId } });
  const asked = askToEnd(endRun(run, cancelled(false), nowMs).run, definition, 10).run;
  expect(askToEnd(asked, definition, 10).effects).toEqual([]);
  expect(endRun(asked, cancelled(false), nowMs).run).toBe(asked);
  const forced = endRun(asked, cancelled(true), nowMs);
  expect(forced).toMatchObject({ run: { ending: { status: 'cancelled', force: true } }, events: [] });
  expect(askToEnd(forced.run, definition, 10).effects).toEqual([{ type: 'end', step: 'a' }]);
});

it('has no more items under way at once than its head can name', () => {
  const steps = Array.from({ length: 20 }, (_, i) => aStep(`s${i}`, 1000));
  const mapped = {
    status: 'running',
    startedMs: nowMs,
    items: { prefix: 'x' },
    total: 10_000,
    next: 0,
    active: [],
  } as const;
  const counts = { succeeded: 0, failed: 0 };
  const run = aRun(Object.fromEntries(steps.map(({ id }) => [id, { ...mapped, active: [], ...counts }])));
  const definition = aDefinition(...steps);
  const { run: after, effects } = expand(run, definition, 1_000_000);
  expect(effects).toHaveLength(10_000);
  expect(expand(after, definition, 1_000_000).effects).toEqual([]);
});
