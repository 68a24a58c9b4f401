import { createHash } from 'node:crypto';
import { AwsError } from '../../errors.ts';
import { invalidParameter, invalidValue, missingParameter } from './errors.ts';

export interface MessageAttribute {
  DataType: string;
  StringValue?: string;
  /** Base64. */
  BinaryValue?: string;
}

/** A message as it is stored. `key` is its place in the queue; a duplicate delivery has its own key and the same id. */
export interface StoredMessage {
  key: string;
  id: string;
  body: string;
  md5: string;
  attributes?: Record<string, MessageAttribute>;
  attributesMd5?: string;
  traceHeader?: string;
  groupId?: string;
  dedupeId?: string;
  sequenceNumber?: string;
  senderId: string;
  sentMs: number;
  visibleAtMs: number;
  receiveCount: number;
  firstReceivedMs?: number;
  lastReceivedMs?: number;
  /** When the retention period began, if not when it was sent. */
  retainedFromMs?: number;
  /** Nonce of the latest receipt handle. */
  receipt?: string;
  deadLetterSourceArn?: string;
}

/** A message as ReceiveMessage returns it. */
export interface ReceivedMessage {
  MessageId: string;
  ReceiptHandle: string;
  Body: string;
  MD5OfBody: string;
  Attributes?: Record<string, string>;
  MessageAttributes?: Record<string, MessageAttribute>;
  MD5OfMessageAttributes?: string;
}

export const md5 = (text: string | Uint8Array) => createHash('md5').update(text).digest('hex');
export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

// Everything but #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what SQS refuses.
const forbidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

/** @throws AwsError when SQS would refuse the text. */
export function validateBody(body: unknown): asserts body is string {
  if (typeof body !== 'string' || body === '') throw missingParameter('MessageBody');
  if (forbidden.test(body) || !body.isWellFormed())
    throw new AwsError(
      'InvalidMessageContents',
      'Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF',
    );
}

export function validateMessageAttributes(attributes: Record<string, MessageAttribute>): void {
  const names = Object.keys(attributes);
  if (names.length > 10)
    throw invalidParameter(`Number of message attributes [${names.length}] exceeds the allowed maximum [10].`);
  for (const name of names) {
    const { DataType: type, StringValue: text, BinaryValue: bytes } = attributes[name]!;
    if (!/^[A-Za-z0-9_.-]{1,256}$/.test(name) || /^(aws|amazon)\./i.test(name))
      throw invalidParameter(`The message attribute name '${name}' is invalid.`);
    if (!/^(String|Number|Binary)(\..+)?$/.test(type ?? ''))
      throw invalidParameter(
        `The type of message attribute '${name}' is invalid. You must use only the following supported type prefixes: Binary, Number, String.`,
      );
    if (!(type.startsWith('Binary') ? bytes : text))
      throw invalidParameter(`The message attribute '${name}' must contain a non-empty value of type '${type}'.`);
  }
}

/** Length in bytes as SQS counts it: the body and the names, types and values of the attributes. */
export function sizeBytes(body: string, attributes: Record<string, MessageAttribute> = {}): number {
  let size = Buffer.byteLength(body);
  for (const [name, { DataType, StringValue, BinaryValue }] of Object.entries(attributes)) {
    size += Buffer.byteLength(name) + Buffer.byteLength(DataType) + Buffer.byteLength(StringValue ?? '');
    size += BinaryValue ? Buffer.from(BinaryValue, 'base64').length : 0;
  }
  return size;
}

/** The digest that the SDKs compare: names in order, each part with its length before it. */
export function attributesMd5(attributes: Record<string, MessageAttribute>): string {
  const parts: Buffer[] = [];
  const add = (bytes: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    parts.push(length, bytes);
  };
  for (const name of Object.keys(attributes).sort()) {
    const { DataType, StringValue, BinaryValue } = attributes[name]!;
    add(Buffer.from(name));
    add(Buffer.from(DataType));
    const binary = DataType.startsWith('Binary');
    parts.push(Buffer.from([binary ? 2 : 1]));
    add(binary ? Buffer.from(BinaryValue ?? '', 'base64') : Buffer.from(StringValue ?? ''));
  }
  return md5(Buffer.concat(parts));
}

/** @throws AwsError when it is not 1 to 128 letters, digits or punctuation. */
export function validateFifoId(name: string, value: string): void {
  if (!/^[\x21-\x7e]{1,128}$/.test(value))
    throw invalidValue(
      name,
      value,
      `${name} can only include alphanumeric and punctuation characters. 1 to 128 in length.`,
    );
}

export function receiptHandle(message: StoredMessage): string {
  return Buffer.from(`${message.key}/${message.receipt}`).toString('base64url');
}

export function parseReceiptHandle(handle: unknown): { key: string; receipt: string } {
  if (typeof handle !== 'string') throw missingParameter('ReceiptHandle');
  const [key, receipt] = Buffer.from(handle, 'base64url').toString().split('/');
  if (!key || !receipt || !/^\d{20}$/.test(key))
    throw new AwsError(
      'ReceiptHandleIsInvalid',
      `The input receipt handle "${handle}" is not a valid receipt handle.`,
      404,
    );
  return { key, receipt };
}

/** A received message with all its system attributes. */
export function received(message: StoredMessage): ReceivedMessage {
  const attributes: Record<string, string> = {
    SenderId: message.senderId,
    SentTimestamp: String(message.sentMs),
    ApproximateReceiveCount: String(message.receiveCount),
    ApproximateFirstReceiveTimestamp: String(message.firstReceivedMs),
  };
  if (message.groupId !== undefined) attributes.MessageGroupId = message.groupId;
  if (message.dedupeId !== undefined) attributes.MessageDeduplicationId = message.dedupeId;
  if (message.sequenceNumber !== undefined) attributes.SequenceNumber = message.sequenceNumber;
  if (message.traceHeader !== undefined) attributes.AWSTraceHeader = message.traceHeader;
  if (message.deadLetterSourceArn !== undefined) attributes.DeadLetterQueueSourceArn = message.deadLetterSourceArn;
  return {
    MessageId: message.id,
    ReceiptHandle: receiptHandle(message),
    Body: message.body,
    MD5OfBody: message.md5,
    Attributes: attributes,
    ...(message.attributes && { MessageAttributes: message.attributes, MD5OfMessageAttributes: message.attributesMd5 }),
  };
}

/** Leaves only the attributes that the caller asked for. */
export function select(message: ReceivedMessage, input: Record<string, unknown>): ReceivedMessage {
  const { Attributes: system = {}, MessageAttributes: own = {}, MD5OfMessageAttributes: digest, ...plain } = message;
  const systemNames = [
    ...((input.AttributeNames ?? []) as string[]),
    ...((input.MessageSystemAttributeNames ?? []) as string[]),
  ];
  const ownNames = (input.MessageAttributeNames ?? []) as string[];
  const wants = (name: string) =>
    ownNames.some(
      (wanted) =>
        wanted === name || wanted === 'All' || (wanted.endsWith('.*') && name.startsWith(wanted.slice(0, -2))),
    );
  const attributes = Object.entries(system).filter(
    ([name]) => systemNames.includes('All') || systemNames.includes(name),
  );
  const ownAttributes = Object.entries(own).filter(([name]) => wants(name));
  return {
    ...plain,
    ...(attributes.length > 0 && { Attributes: Object.fromEntries(attributes) }),
    ...(ownAttributes.length > 0 && { MessageAttributes: Object.fromEntries(ownAttributes) }),
    ...(ownAttributes.length > 0 &&
      digest &&
      ownAttributes.length === Object.keys(own).length && { MD5OfMessageAttributes: digest }),
  };
}
