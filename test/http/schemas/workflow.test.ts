import { describe, expect, test } from 'vitest';
import type { RouseError } from '../../../lib/domain/errors.ts';
import { parseOrThrow } from '../../../lib/http/issues.ts';
import { definition } from '../../../lib/http/schemas/workflow.ts';

const agent = 'agt_01HX0000000000000000CARD01';

/** What is wrong, as `path: message`. */
function findings(body: unknown): string[] {
  try {
    parseOrThrow(definition, body);
    return [];
  } catch (error) {
    return ((error as RouseError).issues ?? []).map(({ path, message }) => `${path}: ${message}`);
  }
}

const stepsWith = (...steps: object[]) => ({ steps });

describe('a definition', () => {
  test('that is sound gets its defaults', () => {
    const parsed = parseOrThrow(definition, stepsWith({ id: 'a', agent }));
    expect(parsed).toMatchObject({ onFailure: 'fail', timeoutSeconds: 2_592_000 });
    expect(parsed.steps[0]).toMatchObject({ needs: [], maxConcurrency: 100, output: { type: 'text' } });
  });

  test('that goes in a circle is told the circle', () => {
    const steps = stepsWith(
      { id: 'a', agent, needs: ['c'] },
      { id: 'b', agent, needs: ['a'] },
      { id: 'c', agent, needs: ['b'] },
      { id: 'd', agent, needs: ['d'] },
    );
    expect(findings(steps)).toEqual([
      'steps[3].needs[0]: Received "d": a step can\'t need itself.',
      'steps[0].needs: The steps "a", "b", "c" need each other in a circle: none could start.',
    ]);
  });

  test('that needs what is not there is told what is', () => {
    expect(findings(stepsWith({ id: 'a', agent, needs: ['b'] }))).toEqual([
      'steps[0].needs[0]: Received "b"; there is no such step. The steps are a.',
    ]);
  });

  test('that uses a name twice is told both places', () => {
    expect(findings(stepsWith({ id: 'a', agent }, { id: 'a', agent }))).toEqual([
      'steps[1].id: Received "a", which steps[0] is called already.',
    ]);
  });

  test.each([
    [
      { id: 'a' },
      'steps[0]: Received none of them; a step has exactly one of agent, template, workflow, approval, waitFor.',
    ],
    [
      { id: 'a', agent, template: 't' },
      'steps[0]: Received agent and template; a step has exactly one of agent, template, workflow, approval, waitFor.',
    ],
    [
      { id: 'a', waitFor: 'x', input: 1 },
      'steps[0].input: A step with "waitFor" has no use for "input"; it goes with agent, template, workflow.',
    ],
    [
      { id: 'a', workflow: 'w', exports: ['*'] },
      'steps[0].exports: A step with "workflow" has no use for "exports"; it goes with agent, template.',
    ],
  ])('with the step %j is refused', (step, finding) => {
    expect(findings(stepsWith(step))).toEqual([finding]);
  });

  test('whose expressions do not parse is told where and why', () => {
    const [finding] = findings(stepsWith({ id: 'a', agent, input: { urls: ['{% $run.( %}'] } }));
    expect(finding).toMatch(/^steps\[0\]\.input\.urls\[0\]: Received "\{% \$run\.\( %\}", which is not JSONata: /);
  });

  test('that reads an item outside of a forEach is told what it may read', () => {
    expect(findings(stepsWith({ id: 'a', agent, input: '{% $item %}' }))).toEqual([
      'steps[0].input: Received "{% $item %}"; there is no $item here. $run, $steps may be used.',
    ]);
  });

  test('that reads a step which may not be done is told what to need', () => {
    const steps = stepsWith({ id: 'a', agent }, { id: 'b', agent, input: '{% $steps.a.output %}' });
    expect(findings(steps)).toEqual([
      'steps[1].input: It reads $steps.a, which may not be done by then. Add "a" to the needs of "b".',
    ]);
  });

  test('that forgets that JSONata takes a hyphen for a minus is told so', () => {
    const steps = stepsWith(
      { id: 'read-all', agent },
      { id: 'b', agent, needs: ['read-all'], input: '{% $steps.read-all.output %}' },
    );
    expect(findings(steps)).toEqual([
      'steps[1].input: It reads $steps.read; there is no step "read". A name with a hyphen is written in backticks: $steps.`read-all`.',
    ]);
  });

  test('whose output schema is none is told so', () => {
    const output = { type: 'json', schema: { type: 'objekt' } };
    const [finding] = findings(stepsWith({ id: 'a', agent, output }));
    expect(finding).toMatch(/^steps\[0\]\.output\.schema: The JSON Schema does not compile/);
  });

  test('whose output reads a step that is not there is told so', () => {
    expect(findings({ ...stepsWith({ id: 'a', agent }), output: '{% $steps.b.output %}' })).toEqual([
      'output: It reads $steps.b; there is no step "b".',
    ]);
  });

  test('with a condition that is no expression is told what is', () => {
    expect(findings(stepsWith({ id: 'a', agent, when: 'yes' }))).toEqual([
      'steps[0].when: An expression like {% $run.input.publish %} is allowed.',
    ]);
  });
});
