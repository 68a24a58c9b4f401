import type { Issue } from './errors.ts';
import { checkExpressions, expressionIn, stepsReadBy } from './expression.ts';
import { type Definition, type Step, stepKinds, stepsBefore } from './workflow.ts';

/** What is wrong with a definition as a whole; the form of each field is the schema's matter. Every finding has its path. */
export function checkWorkflow(definition: Definition): Issue[] {
  const { steps } = definition;
  return [
    ...steps.flatMap((step, i) => [
      ...checkName(steps, step, i),
      ...checkKind(step, i),
      ...checkNeeds(steps, step, i),
      ...checkTexts(steps, step, i),
    ]),
    ...checkCycles(steps),
    ...checkTemplate(definition.output, 'output', ['run', 'steps'], steps, undefined),
  ];
}

function checkName(steps: readonly Step[], step: Step, i: number): Issue[] {
  const first = steps.findIndex((other) => other.id === step.id);
  if (first === i) return [];
  return [{ path: `steps[${i}].id`, message: `Received "${step.id}", which steps[${first}] is called already.` }];
}

/** Fields that only some kinds of steps have a use for. */
const usedBy: Partial<Record<keyof Step, readonly string[]>> = {
  forEach: ['agent', 'template', 'workflow'],
  input: ['agent', 'template', 'workflow'],
  maxAttempts: ['agent', 'template'],
  budget: ['agent', 'template'],
  exports: ['agent', 'template'],
  default: ['waitFor'],
};

function checkKind(step: Step, i: number): Issue[] {
  const kinds = stepKinds.filter((kind) => step[kind] !== undefined);
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    const received = kinds.length === 0 ? 'none of them' : kinds.join(' and ');
    const message = `Received ${received}; a step has exactly one of ${stepKinds.join(', ')}.`;
    return [{ path: `steps[${i}]`, message }];
  }
  const issues = Object.entries(usedBy)
    .filter(([field, kinds]) => step[field as keyof Step] !== undefined && !kinds?.includes(kind))
    .map(([field, kinds]) => ({
      path: `steps[${i}].${field}`,
      message: `A step with "${kind}" has no use for "${field}"; it goes with ${kinds?.join(', ')}.`,
    }));
  if (kind === 'approval' && step.timeoutSeconds !== undefined)
    issues.push({
      path: `steps[${i}].timeoutSeconds`,
      message: 'The time of an approval is approval.timeoutSeconds.',
    });
  return issues;
}

function checkNeeds(steps: readonly Step[], step: Step, i: number): Issue[] {
  return step.needs.flatMap((need, j) => {
    const path = `steps[${i}].needs[${j}]`;
    if (need === step.id) return [{ path, message: `Received "${need}": a step can't need itself.` }];
    if (steps.some((other) => other.id === need)) return [];
    const known = steps.map((other) => other.id).join(', ');
    return [{ path, message: `Received "${need}"; there is no such step. The steps are ${known}.` }];
  });
}

/** One finding for each cycle, at its first step. */
function checkCycles(steps: readonly Step[]): Issue[] {
  const told = new Set<string>();
  return steps.flatMap((step, i) => {
    const before = stepsBefore(steps, step.id);
    if (!before.has(step.id) || told.has(step.id) || step.needs.includes(step.id)) return [];
    const cycle = steps.filter((one) => before.has(one.id) && stepsBefore(steps, one.id).has(step.id));
    for (const one of cycle) told.add(one.id);
    const names = cycle.map((one) => `"${one.id}"`).join(', ');
    return [
      { path: `steps[${i}].needs`, message: `The steps ${names} need each other in a circle: none could start.` },
    ];
  });
}

const common = ['run', 'steps'];

function checkTexts(steps: readonly Step[], step: Step, i: number): Issue[] {
  const inItem = step.forEach === undefined ? common : [...common, 'item', 'index'];
  const check = (field: string, template: unknown, variables: string[]) =>
    checkTemplate(template, `steps[${i}].${field}`, variables, steps, step);
  const issues = [
    ...check('when', step.when, common),
    ...check('forEach', step.forEach, common),
    ...check('agent', step.agent, inItem),
    ...check('input', step.input, inItem),
    ...check('approval.prompt', step.approval?.prompt, common),
  ];
  const needsExpression = (field: 'when' | 'forEach', value: unknown, otherwise: string) => {
    if (value === undefined || (typeof value === 'string' && expressionIn(value) !== undefined)) return;
    issues.push({
      path: `steps[${i}].${field}`,
      message: `An expression like {% $run.input.${otherwise} %} is allowed.`,
    });
  };
  needsExpression('when', step.when, 'publish');
  if (!Array.isArray(step.forEach)) needsExpression('forEach', step.forEach, 'pages');
  return issues;
}

/** @param reader the step whose template it is; the output of the workflow may read every step */
function checkTemplate(
  template: unknown,
  path: string,
  variables: readonly string[],
  steps: readonly Step[],
  reader: Step | undefined,
): Issue[] {
  const issues = checkExpressions(template, path, variables);
  if (issues.length > 0 || template === undefined) return issues;
  const before = reader && stepsBefore(steps, reader.id);
  return [...stepsReadBy(template).names].flatMap((name) => {
    if (!steps.some((step) => step.id === name)) return [{ path, message: unknownStep(name, steps) }];
    if (!before || before.has(name)) return [];
    const message = `It reads $steps.${name}, which may not be done by then. Add "${name}" to the needs of "${reader.id}".`;
    return [{ path, message }];
  });
}

function unknownStep(name: string, steps: readonly Step[]): string {
  // JSONata takes the hyphen of a name for a minus.
  const meant = steps.find((step) => step.id.startsWith(`${name}-`));
  const hint = meant ? ` A name with a hyphen is written in backticks: $steps.\`${meant.id}\`.` : '';
  return `It reads $steps.${name}; there is no step "${name}".${hint}`;
}
