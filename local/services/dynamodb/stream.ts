/** A table's change records, in the shape in which Lambda hands them to functions. */
import { createHash } from 'node:crypto';
import type { Environment } from '../../service.ts';
import type { StoredMap } from '../../store.ts';
import { itemSize } from './size.ts';
import type { Item } from './value.ts';

export type StreamViewType = 'KEYS_ONLY' | 'NEW_IMAGE' | 'OLD_IMAGE' | 'NEW_AND_OLD_IMAGES';

export interface StreamRecord {
  eventID: string;
  eventName: 'INSERT' | 'MODIFY' | 'REMOVE';
  eventVersion: '1.1';
  eventSource: 'aws:dynamodb';
  awsRegion: string;
  eventSourceARN: string;
  dynamodb: {
    /** Seconds since the epoch. */
    ApproximateCreationDateTime: number;
    Keys: Item;
    NewImage?: Item;
    OldImage?: Item;
    SequenceNumber: string;
    SizeBytes: number;
    StreamViewType: StreamViewType;
  };
  /** Only on deletions by time to live. */
  userIdentity?: { type: 'Service'; principalId: 'dynamodb.amazonaws.com' };
}

export interface Change {
  keys: Item;
  before: Item | undefined;
  after: Item | undefined;
  byTimeToLive: boolean;
}

/** AWS keeps the records of a stream for a day. */
export const streamRetentionMs = 24 * 3_600_000;

export class Stream {
  readonly arn: string;
  private readonly viewType: StreamViewType;
  private readonly environment: Environment;
  private readonly stored: StoredMap<StreamRecord>;
  private readonly retentionMs: number;
  private records: StreamRecord[];
  /** How many of `records`, from the first, have been trimmed. */
  private trimmed = 0;
  private lastMs = 0;
  private counter = 0;

  constructor(
    arn: string,
    viewType: StreamViewType,
    environment: Environment,
    stored: StoredMap<StreamRecord>,
    retentionMs = streamRetentionMs,
  ) {
    this.arn = arn;
    this.retentionMs = retentionMs;
    this.viewType = viewType;
    this.environment = environment;
    this.stored = stored;
    this.records = [...stored.values()].sort((one, two) => (sequenceOf(one) < sequenceOf(two) ? -1 : 1));
    const last = this.records.at(-1);
    if (last) {
      this.lastMs = Number(sequenceOf(last).slice(1, 15));
      this.counter = Number(sequenceOf(last).slice(15));
    }
  }

  append({ keys, before, after, byTimeToLive }: Change): StreamRecord {
    const sequence = this.nextSequence();
    const withNew = after && (this.viewType === 'NEW_IMAGE' || this.viewType === 'NEW_AND_OLD_IMAGES');
    const withOld = before && (this.viewType === 'OLD_IMAGE' || this.viewType === 'NEW_AND_OLD_IMAGES');
    const size = itemSize(keys) + (withNew ? itemSize(after) : 0) + (withOld ? itemSize(before) : 0);
    const record: StreamRecord = {
      eventID: createHash('md5').update(this.arn).update(sequence).digest('hex'),
      eventName: !before ? 'INSERT' : after ? 'MODIFY' : 'REMOVE',
      eventVersion: '1.1',
      eventSource: 'aws:dynamodb',
      awsRegion: this.environment.region,
      eventSourceARN: this.arn,
      dynamodb: {
        ApproximateCreationDateTime: Math.floor(this.environment.clock.now() / 1000),
        Keys: keys,
        ...(withNew && { NewImage: after }),
        ...(withOld && { OldImage: before }),
        SequenceNumber: sequence,
        SizeBytes: size,
        StreamViewType: this.viewType,
      },
      ...(byTimeToLive && { userIdentity: { type: 'Service', principalId: 'dynamodb.amazonaws.com' } }),
    };
    this.trim();
    this.records.push(record);
    this.stored.set(sequence, record);
    return record;
  }

  /** Up to `limit` records after a sequence number, oldest first; without one, from the oldest that is retained. */
  read(afterSequence: string | undefined, limit: number): StreamRecord[] {
    this.trim();
    let low = this.trimmed;
    let high = this.records.length;
    while (afterSequence !== undefined && low < high) {
      const middle = (low + high) >> 1;
      if (sequenceOf(this.records[middle]!) <= afterSequence) low = middle + 1;
      else high = middle;
    }
    return this.records.slice(low, low + limit);
  }

  /** Sequence number of the newest record, or undefined when none is retained: where a reader starts at LATEST. */
  latest(): string | undefined {
    return this.records.length > this.trimmed ? sequenceOf(this.records.at(-1)!) : undefined;
  }

  clear(): void {
    for (const record of this.records.slice(this.trimmed)) this.stored.delete(sequenceOf(record));
    this.records = [];
    this.trimmed = 0;
  }

  /** Time and a counter in 24 digits, which grow even when the clock goes back. */
  private nextSequence(): string {
    const now = this.environment.clock.now();
    this.counter = now > this.lastMs ? 0 : this.counter + 1;
    this.lastMs = Math.max(this.lastMs, now);
    return `1${String(this.lastMs).padStart(14, '0')}${String(this.counter).padStart(9, '0')}`;
  }

  private trim(): void {
    const oldest = this.environment.clock.now() - this.retentionMs;
    while (this.trimmed < this.records.length) {
      const sequence = sequenceOf(this.records[this.trimmed]!);
      if (Number(sequence.slice(1, 15)) > oldest) break;
      this.stored.delete(sequence);
      this.trimmed += 1;
    }
    if (this.trimmed > 1000 && this.trimmed * 2 > this.records.length) {
      this.records = this.records.slice(this.trimmed);
      this.trimmed = 0;
    }
  }
}

export function sequenceOf(record: StreamRecord): string {
  return record.dynamodb.SequenceNumber;
}
