import { AwsError, notEmulated } from '../../errors.ts';
import { invalidParameter, invalidValue } from './errors.ts';

export type QueueAttributes = Record<string, string>;

/** Ranges and defaults of the numeric attributes (SQS API reference, CreateQueue). */
const numeric: Record<string, { from: number; to: number; otherwise: number }> = {
  DelaySeconds: { from: 0, to: 900, otherwise: 0 },
  MaximumMessageSize: { from: 1024, to: 1_048_576, otherwise: 1_048_576 },
  MessageRetentionPeriod: { from: 60, to: 1_209_600, otherwise: 345_600 },
  ReceiveMessageWaitTimeSeconds: { from: 0, to: 20, otherwise: 0 },
  VisibilityTimeout: { from: 0, to: 43_200, otherwise: 30 },
  KmsDataKeyReusePeriodSeconds: { from: 60, to: 86_400, otherwise: 300 },
};
const choices: Record<string, readonly string[]> = {
  FifoQueue: ['true', 'false'],
  ContentBasedDeduplication: ['true', 'false'],
  SqsManagedSseEnabled: ['true', 'false'],
  DeduplicationScope: ['queue', 'messageGroup'],
  FifoThroughputLimit: ['perQueue', 'perMessageGroupId'],
};
const fifoOnly = ['ContentBasedDeduplication', 'DeduplicationScope', 'FifoThroughputLimit'];
const documents = ['Policy', 'RedrivePolicy', 'RedriveAllowPolicy', 'KmsMasterKeyId'];

/** Attributes that GetQueueAttributes counts instead of reading. */
export const computedAttributes = [
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesDelayed',
  'ApproximateNumberOfMessagesNotVisible',
  'CreatedTimestamp',
  'LastModifiedTimestamp',
  'QueueArn',
] as const;

export const allAttributes = [...Object.keys(numeric), ...Object.keys(choices), ...documents, ...computedAttributes];

export interface RedrivePolicy {
  deadLetterTargetArn: string;
  maxReceiveCount: number;
}

export function numberOf(attributes: QueueAttributes, name: keyof typeof numeric & string): number {
  const value = attributes[name];
  return value === undefined ? numeric[name]!.otherwise : Number(value);
}

export function withDefaults(attributes: QueueAttributes, fifo: boolean): QueueAttributes {
  const all: QueueAttributes = { SqsManagedSseEnabled: 'true' };
  for (const [name, { otherwise }] of Object.entries(numeric)) {
    if (name !== 'KmsDataKeyReusePeriodSeconds') all[name] = String(otherwise);
  }
  if (fifo) Object.assign(all, { FifoQueue: 'true', ContentBasedDeduplication: 'false' });
  if (fifo) Object.assign(all, { DeduplicationScope: 'queue', FifoThroughputLimit: 'perQueue' });
  return { ...all, ...attributes };
}

/** @throws AwsError when a value is not allowed, or an attribute does not fit the type of queue. */
export function validateAttributes(attributes: Record<string, unknown>, fifo: boolean): QueueAttributes {
  const valid: QueueAttributes = {};
  for (const [name, raw] of Object.entries(attributes)) {
    const value = String(raw);
    const range = numeric[name];
    const choice = choices[name];
    if (range) {
      const number = Number(value);
      if (!/^\d+$/.test(value) || number < range.from || number > range.to) throw invalidAttribute(name);
    } else if (choice) {
      if (!choice.includes(value)) throw invalidAttribute(name);
    } else if (!documents.includes(name)) {
      throw new AwsError('InvalidAttributeName', `Unknown Attribute ${name}.`);
    }
    if (!fifo && (fifoOnly.includes(name) || (name === 'FifoQueue' && value === 'false')))
      throw new AwsError('InvalidAttributeName', `Unknown Attribute ${name}.`);
    if (name === 'RedrivePolicy' && value !== '') parseRedrivePolicy(value);
    if (name === 'RedriveAllowPolicy') refuseRestrictedRedrive(value);
    valid[name] = value;
  }
  if (valid.FifoThroughputLimit === 'perMessageGroupId' && valid.DeduplicationScope === 'queue')
    throw invalidParameter(
      'The perMessageGroupId value for FifoThroughputLimit is allowed only when DeduplicationScope is messageGroup.',
    );
  return valid;
}

function invalidAttribute(name: string): AwsError {
  return new AwsError('InvalidAttributeValue', `Invalid value for the parameter ${name}.`);
}

function refuseRestrictedRedrive(value: string): void {
  const permission = (JSON.parse(value || '{}') as { redrivePermission?: string }).redrivePermission;
  if (permission && permission !== 'allowAll') throw notEmulated('sqs', `RedriveAllowPolicy ${permission}`);
}

export function parseRedrivePolicy(value: string): RedrivePolicy {
  const refuse = (reason: string) => invalidValue('RedrivePolicy', value, reason);
  let policy: Partial<Record<keyof RedrivePolicy, unknown>>;
  try {
    policy = JSON.parse(value);
  } catch {
    throw refuse('Redrive policy is not a valid JSON map.');
  }
  if (typeof policy.deadLetterTargetArn !== 'string')
    throw refuse('Redrive policy does not contain mandatory attribute: deadLetterTargetArn.');
  const maxReceiveCount = Number(policy.maxReceiveCount ?? 10);
  if (!Number.isInteger(maxReceiveCount) || maxReceiveCount < 1 || maxReceiveCount > 1000)
    throw refuse('Invalid value for maxReceiveCount: must be between 1 and 1000.');
  return { deadLetterTargetArn: policy.deadLetterTargetArn, maxReceiveCount };
}

/** Whether the name is that of a FIFO queue. @throws AwsError when it is no name, or does not fit `FifoQueue`. */
export function validateQueueName(name: unknown, fifoAttribute: unknown): boolean {
  const fifo = fifoAttribute === 'true' || fifoAttribute === true;
  const stem = typeof name === 'string' && name.endsWith('.fifo') ? name.slice(0, -5) : name;
  if (
    typeof name !== 'string' ||
    name.length > 80 ||
    !/^[A-Za-z0-9_-]{1,80}$/.test(String(stem)) ||
    (stem !== name && !fifo)
  )
    throw invalidParameter('Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length');
  if (fifo && stem === name)
    throw invalidParameter(
      'The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.',
    );
  return fifo;
}
