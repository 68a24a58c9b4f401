import { AwsError, notEmulated, refuseUnknownParameters } from '../../errors.ts';
import { nextFire, parseScheduleExpression, ScheduleExpressionError } from '../../schedule-expression.ts';

export type Input = Record<string, unknown>;

export interface ScheduleTarget {
  Arn: string;
  RoleArn: string;
  Input?: string;
  RetryPolicy?: { MaximumRetryAttempts?: number; MaximumEventAgeInSeconds?: number };
  DeadLetterConfig?: { Arn?: string };
  SqsParameters?: { MessageGroupId?: string };
}

/** What CreateSchedule and UpdateSchedule set. Times are seconds, as on the wire. */
export interface ScheduleSettings {
  ScheduleExpression: string;
  ScheduleExpressionTimezone: string;
  Target: ScheduleTarget;
  FlexibleTimeWindow: { Mode: 'OFF' | 'FLEXIBLE'; MaximumWindowInMinutes?: number };
  State: 'ENABLED' | 'DISABLED';
  ActionAfterCompletion: 'NONE' | 'DELETE';
  Description?: string;
  StartDate?: number;
  EndDate?: number;
}

export interface StoredSchedule {
  name: string;
  group: string;
  arn: string;
  settings: ScheduleSettings;
  clientToken: string | undefined;
  createdMs: number;
  modifiedMs: number;
  /** Where a rate begins to count. */
  anchorMs: number;
  /** The occurrence that comes next; undefined when none does. */
  nextMs: number | undefined;
}

const known = [
  'Name',
  'GroupName',
  'ClientToken',
  'ScheduleExpression',
  'ScheduleExpressionTimezone',
  'Target',
  'FlexibleTimeWindow',
  'State',
  'ActionAfterCompletion',
  'Description',
  'StartDate',
  'EndDate',
];
const knownOfTarget = ['Arn', 'RoleArn', 'Input', 'RetryPolicy', 'DeadLetterConfig', 'SqsParameters'];

export const invalid = (message: string) => new AwsError('ValidationException', message);

/** @throws AwsError `ValidationException`, or one that names what is not emulated */
export function readSettings(operation: string, input: Input): ScheduleSettings {
  refuseUnknownParameters('scheduler', operation, input, known);
  const {
    ScheduleExpression: expression,
    ScheduleExpressionTimezone: timezone = 'UTC',
    Description: description,
    StartDate: start,
    EndDate: end,
  } = input;
  const state = input.State ?? 'ENABLED';
  const action = input.ActionAfterCompletion ?? 'NONE';
  if (typeof expression !== 'string') throw invalid('ScheduleExpression must not be null.');
  if (expression.length > 256) throw invalid(`ScheduleExpression may have 256 characters, not ${expression.length}.`);
  if (state !== 'ENABLED' && state !== 'DISABLED') throw invalid(`State must be ENABLED or DISABLED, not ${state}.`);
  if (action !== 'NONE' && action !== 'DELETE')
    throw invalid(`ActionAfterCompletion must be NONE or DELETE, not ${action}.`);
  if (description !== undefined && String(description).length > 512)
    throw invalid('Description may have 512 characters.');
  if (typeof start === 'number' && typeof end === 'number' && start >= end)
    throw invalid('The StartDate you specify must come before the EndDate you specify.');
  checkExpression(expression, String(timezone));
  return {
    ScheduleExpression: expression,
    ScheduleExpressionTimezone: String(timezone),
    Target: readTarget(operation, input.Target),
    FlexibleTimeWindow: readWindow(input.FlexibleTimeWindow),
    State: state,
    ActionAfterCompletion: action,
    ...(description !== undefined && { Description: String(description) }),
    ...(typeof start === 'number' && { StartDate: start }),
    ...(typeof end === 'number' && { EndDate: end }),
  };
}

function checkExpression(expression: string, timezone: string): void {
  try {
    parseScheduleExpression(expression);
    nextFire(expression, timezone, 0);
    if (expression.startsWith('rate')) nextFire('at(2030-01-01T00:00:00)', timezone, 0);
  } catch (error) {
    if (error instanceof ScheduleExpressionError) throw invalid(error.message);
    throw error;
  }
}

function readTarget(operation: string, value: unknown): ScheduleTarget {
  if (typeof value !== 'object' || value === null) throw invalid('Target must not be null.');
  refuseUnknownParameters('scheduler', operation, value as Input, knownOfTarget);
  const target = value as ScheduleTarget;
  if (!/^arn:aws[\w-]*:/.test(target.Arn ?? '')) throw invalid(`Provided Arn ${target.Arn} is not in correct format.`);
  if (!/^arn:aws:(lambda|sqs):/.test(target.Arn)) throw notEmulated('scheduler', `target ${target.Arn}`);
  if (!/^arn:aws[\w-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(target.RoleArn ?? ''))
    throw invalid(`Provided RoleArn ${target.RoleArn} is not in correct format.`);
  const { MaximumRetryAttempts: attempts = 185, MaximumEventAgeInSeconds: age = 86_400 } = target.RetryPolicy ?? {};
  if (!Number.isInteger(attempts) || attempts < 0 || attempts > 185)
    throw invalid(`MaximumRetryAttempts must be between 0 and 185, not ${attempts}.`);
  if (!Number.isInteger(age) || age < 60 || age > 86_400)
    throw invalid(`MaximumEventAgeInSeconds must be between 60 and 86400, not ${age}.`);
  const deadLetter = target.DeadLetterConfig?.Arn;
  if (deadLetter !== undefined && (!/^arn:aws[\w-]*:sqs:/.test(deadLetter) || deadLetter.endsWith('.fifo')))
    throw invalid(`DeadLetterConfig.Arn must be a standard SQS queue, not ${deadLetter}.`);
  if (target.Arn.endsWith('.fifo') && !target.SqsParameters?.MessageGroupId)
    throw invalid('SqsParameters.MessageGroupId is required for a FIFO queue.');
  if (target.Input !== undefined) checkInput(target);
  return target;
}

function checkInput({ Arn, Input: text = '' }: ScheduleTarget): void {
  if (Buffer.byteLength(text) > 262_144) throw invalid('Target.Input may have 262144 bytes.');
  if (!Arn.startsWith('arn:aws:lambda:')) return;
  try {
    JSON.parse(text);
  } catch (error) {
    throw invalid(`Invalid RequestJson provided. Reason ${(error as Error).message}`);
  }
}

function readWindow(value: unknown): ScheduleSettings['FlexibleTimeWindow'] {
  const { Mode, MaximumWindowInMinutes: minutes } = (value ?? {}) as { Mode?: string; MaximumWindowInMinutes?: number };
  if (Mode === 'OFF' && minutes === undefined) return { Mode };
  if (Mode === 'FLEXIBLE' && Number.isInteger(minutes) && minutes! >= 1 && minutes! <= 1440)
    return { Mode, MaximumWindowInMinutes: minutes! };
  throw invalid(
    `FlexibleTimeWindow must have the Mode OFF, or FLEXIBLE with a MaximumWindowInMinutes between 1 and 1440, not ${JSON.stringify(value)}.`,
  );
}

/** How old the start of a schedule may be when it is made or changed. */
const oldestStartSeconds = 300;

/** EventBridge Scheduler ignores the start of a one-time schedule. @throws AwsError `ValidationException` */
export function checkStart(
  { ScheduleExpression: expression, StartDate: start }: ScheduleSettings,
  nowMs: number,
): void {
  if (start === undefined || expression.startsWith('at(') || start * 1000 >= nowMs - oldestStartSeconds * 1000) return;
  throw invalid('The StartDate you specify cannot be earlier than 5 minutes ago.');
}

/** The first occurrence after `afterMs`, within start and end date. */
export function nextOccurrence({ settings, anchorMs }: StoredSchedule, afterMs: number): number | undefined {
  const { ScheduleExpression: expression, ScheduleExpressionTimezone: timezone } = settings;
  if (expression.startsWith('at(')) return nextFire(expression, timezone, afterMs);
  const startMs = (settings.StartDate ?? 0) * 1000;
  const next = nextFire(expression, timezone, Math.max(afterMs, startMs - 1), anchorMs);
  const endMs = (settings.EndDate ?? Number.POSITIVE_INFINITY) * 1000;
  return next !== undefined && next <= endMs ? next : undefined;
}
