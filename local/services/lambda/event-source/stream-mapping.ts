import { createHash } from 'node:crypto';
import type { Timer } from '../../../clock.ts';
import type { Environment } from '../../../service.ts';
import type { StoredMap } from '../../../store.ts';
import type { EventSourceMapping, FailureDestination, InvokeFunction, StreamPort, StreamRecord } from './ports.ts';
import { handleStreamBatch, type StreamBatchOptions } from './stream-batch.ts';

/** Records that one lane holds in memory before reading pauses. */
const laneCapacity = 2000;
const readChunk = 500;
/** Before a lane goes on after an error that is not the function's, such as a destination that does not answer. */
const errorPauseMs = 1000;

export interface StreamMappingOptions extends StreamBatchOptions {
  batchSize: number;
  batchingWindowSeconds: number;
  /** Lanes with a batch under way each; the records of one partition key always take the same lane. */
  parallelizationFactor: number;
  startingPosition: 'TRIM_HORIZON' | 'LATEST';
  matches?: (record: StreamRecord) => boolean;
}

interface Lane {
  waiting: StreamRecord[];
  busy: boolean;
  /** The last sequence number that is done with. */
  done: string;
  window: Timer | undefined;
}

/** How far each lane has come; an empty string stands for the start of the stream. */
interface Checkpoint {
  lanes: string[];
}

/** Hands the records of a DynamoDB stream to a function: in order per partition key, from its checkpoint after a restart. */
export class StreamMapping implements EventSourceMapping {
  private readonly environment: Environment;
  private readonly options: StreamMappingOptions;
  private readonly stream: StreamPort;
  private readonly invoke: InvokeFunction;
  private readonly destination: FailureDestination;
  private readonly checkpoints: StoredMap<Checkpoint>;
  private readonly lanes: Lane[];
  private position = '';
  private stopped = true;
  private pulling = false;
  private unsubscribe: (() => void) | undefined;

  constructor(
    environment: Environment,
    options: StreamMappingOptions,
    stream: StreamPort,
    invoke: InvokeFunction,
    destination: FailureDestination,
  ) {
    this.environment = environment;
    this.options = options;
    this.stream = stream;
    this.invoke = invoke;
    this.destination = destination;
    this.checkpoints = environment.store.map('stream-checkpoints');
    this.lanes = Array.from({ length: options.parallelizationFactor }, () => ({
      waiting: [],
      busy: false,
      done: '',
      window: undefined,
    }));
  }

  /** Goes on from its checkpoint. */
  recover(): void {}

  start(): void {
    this.stopped = false;
    const stored = this.checkpoints.get(this.options.id);
    const latest = this.options.startingPosition === 'LATEST' ? this.stream.latest(this.options.streamArn) : undefined;
    const from = stored?.lanes.length === this.lanes.length ? stored.lanes : [lowest(stored?.lanes ?? [latest ?? ''])];
    for (const [index, lane] of this.lanes.entries()) lane.done = from[index] ?? from[0]!;
    this.position = lowest(from);
    this.save();
    this.unsubscribe = this.stream.onRecord(this.options.streamArn, () => this.pull());
    this.pull();
  }

  stop(): void {
    this.stopped = true;
    this.unsubscribe?.();
    for (const lane of this.lanes) lane.window?.cancel();
  }

  /** Reads in the next turn, so that writes made together travel in one batch. */
  private pull(): void {
    if (this.pulling || this.stopped) return;
    this.pulling = true;
    const end = this.environment.activity.begin();
    setImmediate(() => {
      this.pulling = false;
      try {
        if (!this.stopped) this.read();
      } finally {
        end();
      }
    });
  }

  private read(): void {
    while (this.lanes.every((lane) => lane.waiting.length < laneCapacity)) {
      const records = this.stream.read(this.options.streamArn, this.position || undefined, readChunk);
      for (const record of records) {
        const lane = this.laneOf(record);
        this.position = record.dynamodb.SequenceNumber;
        if (isAfter(this.position, lane.done) && (this.options.matches?.(record) ?? true)) lane.waiting.push(record);
      }
      if (records.length < readChunk) break;
    }
    for (const lane of this.lanes) this.advance(lane);
  }

  private laneOf(record: StreamRecord): Lane {
    if (this.lanes.length === 1) return this.lanes[0]!;
    const partition = record.dynamodb.Keys[this.stream.partitionKey(this.options.streamArn)];
    const hash = createHash('md5').update(JSON.stringify(partition)).digest();
    return this.lanes[hash.readUInt32BE() % this.lanes.length]!;
  }

  private advance(lane: Lane): void {
    if (lane.busy || lane.waiting.length === 0 || this.stopped) return;
    const { batchSize, batchingWindowSeconds } = this.options;
    if (batchingWindowSeconds === 0 || lane.waiting.length >= batchSize) {
      void this.process(lane);
      return;
    }
    const { clock } = this.environment;
    lane.window ??= clock.at(clock.now() + batchingWindowSeconds * 1000, () => void this.process(lane));
  }

  private async process(lane: Lane): Promise<void> {
    if (lane.busy || this.stopped) return;
    lane.busy = true;
    lane.window?.cancel();
    lane.window = undefined;
    const batch = lane.waiting.splice(0, this.options.batchSize);
    const ports = {
      environment: this.environment,
      invoke: this.invoke,
      destination: this.destination,
      stopped: () => this.stopped,
      done: (sequence: string) => {
        lane.done = sequence;
        this.save();
      },
    };
    try {
      await handleStreamBatch(this.options, ports, batch);
    } catch (error) {
      this.environment.log(`event source ${this.options.streamArn} failed: ${error}`);
      lane.waiting.unshift(...batch.filter((record) => isAfter(record.dynamodb.SequenceNumber, lane.done)));
      const { clock } = this.environment;
      await new Promise<void>((resolve) => clock.at(clock.now() + errorPauseMs, resolve));
    } finally {
      lane.busy = false;
      this.save();
      this.advance(lane);
      this.pull();
    }
  }

  private save(): void {
    for (const lane of this.lanes) if (!lane.busy && lane.waiting.length === 0) lane.done = this.position;
    this.checkpoints.set(this.options.id, { lanes: this.lanes.map((lane) => lane.done) });
  }
}

/** Sequence numbers are decimal numbers, possibly of different lengths. */
function isAfter(sequence: string, other: string): boolean {
  return sequence.length === other.length ? sequence > other : sequence.length > other.length;
}

function lowest(sequences: string[]): string {
  return sequences.reduce((least, sequence) => (isAfter(least, sequence) ? sequence : least));
}
