import * as z from 'zod';
import { expressionIn } from '../../domain/expression.ts';
import { type Definition, workflowLimits } from '../../domain/workflow.ts';
import { checkWorkflow } from '../../domain/workflow-check.ts';
import { budget } from './budget.ts';
import { integer, jsonBytes, line, rule, timestamp } from './field.ts';
import { templateName } from './id.ts';
import { glob, outputSpec } from './task.ts';

const day = 86_400;

/** Expressions read a step as `$steps.name`; one with a hyphen needs backticks there. */
const stepId = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9_-]{0,62}$/,
    rule('a step has 1 to 63 letters, digits, underscores and hyphens and begins with a letter'),
  );

const expression = z.string().min(1).max(8_200);
const onFailure = z.enum(['fail', 'continue']);

const approval = z
  .strictObject({
    prompt: z
      .string()
      .min(1)
      .max(8_200)
      .refine((text) => expressionIn(text) !== undefined || text.length <= workflowLimits.prompt, {
        error: (issue) =>
          `Received ${String(issue.input).length} characters; at most ${workflowLimits.prompt} are allowed.`,
      })
      .describe(`What is asked, in ${workflowLimits.prompt} characters at most; may be an expression`),
    timeoutSeconds: integer(1, 366 * day).optional(),
    onTimeout: z.enum(['reject', 'approve', 'fail']).default('reject'),
  })
  .meta({ id: 'Approval' });

const agent = z
  .string()
  .max(8_200)
  .refine((text) => text.trim().startsWith('{%') || /^agt_[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(text), {
    error: (issue) =>
      `Received ${JSON.stringify(String(issue.input).slice(0, 60))}; the id of an agent, or an expression that gives one, is allowed.`,
  })
  .describe('Id of an agent, or an expression');

/** One step. It has exactly one of `agent`, `template`, `workflow`, `approval` and `waitFor`. */
const step = z
  .strictObject({
    id: stepId,
    needs: z.array(stepId).max(workflowLimits.steps).default([]).describe('Steps that have to be over before'),
    when: expression.optional().describe('An expression; the step is skipped if it gives false'),
    agent: agent.optional(),
    template: templateName.optional().describe('A fresh agent is made from it, and terminated afterwards'),
    workflow: templateName.optional().describe('Run as a part of this one'),
    approval: approval.optional(),
    waitFor: line(1, 128).optional().describe('Name of the signal that it waits for'),
    default: z.unknown().optional().describe('What a wait gives when its time is over; without it the step fails'),
    forEach: z
      .union([expression, z.array(z.unknown()).max(workflowLimits.items)])
      .optional()
      .describe(
        `An expression that gives an array, or an array: the step runs once for each item, at most ${workflowLimits.items}`,
      ),
    maxConcurrency: integer(1, workflowLimits.concurrency).default(100).describe('Items under way at the same time'),
    input: z.unknown().optional().describe('With expressions. Without it the item, or the input of the run'),
    output: outputSpec.prefault({}),
    maxAttempts: integer(1, 100).optional(),
    budget: budget.optional().describe('Of one task'),
    timeoutSeconds: integer(1, 366 * day)
      .optional()
      .describe('Of one attempt, of a wait, or of the sub-run'),
    exports: z.array(glob).min(1).max(20).optional().describe('Files that the steps after this one get'),
    onFailure: onFailure.optional().describe("The workflow's unless given"),
  })
  .superRefine((value, context) => {
    const isTask = value.agent !== undefined || value.template !== undefined;
    if (!isTask || value.timeoutSeconds === undefined || value.timeoutSeconds <= 7 * day) return;
    const message = `Received ${value.timeoutSeconds}; a task runs for ${7 * day} seconds at most.`;
    context.addIssue({ code: 'custom', path: ['timeoutSeconds'], message });
  })
  .meta({ id: 'Step' });

const definitionShape = {
  description: line(0, 1000).default(''),
  steps: z.array(step).min(1).max(workflowLimits.steps),
  output: z.unknown().optional().describe("With expressions. Without it the last step's output"),
  onFailure: onFailure.default('fail'),
  timeoutSeconds: integer(1, 366 * day).default(30 * day),
};

/** A DAG of steps. Parsing checks all of it: names, cycles, expressions, schemas. */
export const definition = z
  .strictObject(definitionShape)
  .superRefine((value, context) => {
    const bytes = jsonBytes(value);
    if (bytes > workflowLimits.definitionBytes) {
      const message = `Received ${bytes} bytes of JSON; at most ${workflowLimits.definitionBytes} are allowed.`;
      context.addIssue({ code: 'custom', message });
    }
    for (const { path, message } of checkWorkflow(value as Definition))
      context.addIssue({ code: 'custom', path: pathOf(path), message });
  })
  .meta({ id: 'WorkflowDefinition' });

/** `steps[0].input.url` → its parts. */
function pathOf(path: string): (string | number)[] {
  return path
    .split(/[.[\]]+/)
    .filter(Boolean)
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

export const workflow = z
  .object({ name: templateName, version: z.int().min(1), ...definitionShape, createdAt: timestamp })
  .meta({ id: 'Workflow' });

export type Workflow = z.input<typeof workflow>;
