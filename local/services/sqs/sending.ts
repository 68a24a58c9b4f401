import { randomUUID } from 'node:crypto';
import type { Environment } from '../../service.ts';
import type { StoredMap } from '../../store.ts';
import { numberOf } from './attributes.ts';
import { invalidParameter, invalidValue, missingParameter } from './errors.ts';
import {
  attributesMd5,
  type MessageAttribute,
  md5,
  sha256,
  sizeBytes,
  validateBody,
  validateFifoId,
  validateMessageAttributes,
} from './message.ts';
import type { NewMessage, Queue } from './queue.ts';

export interface SendRequest {
  MessageBody: string;
  DelaySeconds?: number;
  MessageAttributes?: Record<string, MessageAttribute>;
  MessageSystemAttributes?: Record<string, MessageAttribute>;
  MessageDeduplicationId?: string;
  MessageGroupId?: string;
}

export interface SendAnswer {
  MessageId: string;
  MD5OfMessageBody: string;
  MD5OfMessageAttributes?: string;
  SequenceNumber?: string;
}

/** What a FIFO queue remembers of a send for five minutes. */
export interface DedupeRecord {
  messageId: string;
  sequenceNumber: string;
  sentMs: number;
}

const dedupeMs = 300_000;

/** Checks a message and puts it into the queue, unless it is a duplicate or a fault loses it. */
export function send(
  environment: Environment,
  queue: Queue,
  dedupe: StoredMap<DedupeRecord>,
  request: SendRequest,
  senderId: string,
): SendAnswer {
  const now = environment.clock.now();
  validate(queue, request);
  const attributes =
    request.MessageAttributes && Object.keys(request.MessageAttributes).length > 0
      ? request.MessageAttributes
      : undefined;
  const delaySeconds = request.DelaySeconds ?? numberOf(queue.definition.attributes, 'DelaySeconds');
  const message: NewMessage = {
    id: randomUUID(),
    body: request.MessageBody,
    md5: md5(request.MessageBody),
    senderId,
    sentMs: now,
    visibleAtMs: now + delaySeconds * 1000,
    ...(attributes && { attributes, attributesMd5: attributesMd5(attributes) }),
    ...(request.MessageGroupId !== undefined && { groupId: request.MessageGroupId }),
  };
  const trace = request.MessageSystemAttributes?.AWSTraceHeader?.StringValue;
  if (trace !== undefined) message.traceHeader = trace;
  const answer: SendAnswer = { MessageId: message.id, MD5OfMessageBody: message.md5 };
  if (message.attributesMd5) answer.MD5OfMessageAttributes = message.attributesMd5;
  if (!queue.fifo) {
    deliver(environment, queue, message);
    return answer;
  }
  message.dedupeId = dedupeId(queue, request);
  const scope = queue.definition.attributes.DeduplicationScope === 'messageGroup' ? `${message.groupId} ` : '';
  const before = recall(dedupe, scope + message.dedupeId, now);
  if (before) return { ...answer, MessageId: before.messageId, SequenceNumber: before.sequenceNumber };
  const sequenceNumber = queue.nextKey();
  dedupe.set(scope + message.dedupeId, { messageId: message.id, sequenceNumber, sentMs: now });
  deliver(environment, queue, message, sequenceNumber);
  return { ...answer, SequenceNumber: sequenceNumber };
}

function deliver(environment: Environment, queue: Queue, message: NewMessage, key?: string): void {
  const { clock, faults } = environment;
  const { copies, delayMs } = faults.ofDelivery({ source: 'sqs', target: queue.definition.arn, body: message.body });
  const enqueue = () => {
    for (let copy = 0; copy < copies; copy++) queue.add(message, copy === 0 && delayMs === 0 ? key : undefined);
  };
  if (delayMs > 0) clock.at(message.sentMs + delayMs, enqueue);
  else enqueue();
}

function validate(queue: Queue, request: SendRequest): void {
  validateBody(request.MessageBody);
  validateMessageAttributes(request.MessageAttributes ?? {});
  const max = numberOf(queue.definition.attributes, 'MaximumMessageSize');
  if (sizeBytes(request.MessageBody, request.MessageAttributes) > max)
    throw invalidParameter(`One or more parameters are invalid. Reason: Message must be shorter than ${max} bytes.`);
  const { DelaySeconds: delay, MessageGroupId: group, MessageDeduplicationId: dedupe } = request;
  if (delay !== undefined && (!Number.isInteger(delay) || delay < 0 || delay > 900))
    throw invalidValue('DelaySeconds', delay, 'DelaySeconds must be >= 0 and <= 900.');
  if (queue.fifo && delay)
    throw invalidValue('DelaySeconds', delay, 'The request include parameter that is not valid for this queue type.');
  if (queue.fifo && group === undefined) throw missingParameter('MessageGroupId');
  if (!queue.fifo && dedupe !== undefined)
    throw invalidValue(
      'MessageDeduplicationId',
      dedupe,
      'The request include parameter that is not valid for this queue type.',
    );
  if (group !== undefined) validateFifoId('MessageGroupId', group);
  if (dedupe !== undefined) validateFifoId('MessageDeduplicationId', dedupe);
}

function dedupeId(queue: Queue, request: SendRequest): string {
  if (request.MessageDeduplicationId !== undefined) return request.MessageDeduplicationId;
  if (queue.definition.attributes.ContentBasedDeduplication === 'true') return sha256(request.MessageBody);
  throw invalidParameter(
    'The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly',
  );
}

function recall(dedupe: StoredMap<DedupeRecord>, id: string, now: number): DedupeRecord | undefined {
  for (const [key, record] of dedupe.entries()) {
    if (record.sentMs + dedupeMs > now) break;
    dedupe.delete(key);
  }
  return dedupe.get(id);
}
