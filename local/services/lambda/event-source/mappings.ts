import type { Environment } from '../../../service.ts';
import type { EventSourceMapping, FailureDestination, InvokeFunction, QueuePort, StreamPort } from './ports.ts';
import { QueueMapping } from './queue-mapping.ts';
import { StreamMapping } from './stream-mapping.ts';

/** An event source mapping in AWS's words; absent members have AWS's defaults. */
export interface MappingDefinition {
  /** Stable over restarts: a stream's checkpoint is kept under it. */
  id: string;
  eventSourceArn: string;
  functionArn: string;
  enabled?: boolean;
  batchSize?: number;
  maximumBatchingWindowInSeconds?: number;
  functionResponseTypes?: string[];
  maximumConcurrency?: number;
  /** Patterns of which one must match. */
  filterPatterns?: string[];
  startingPosition?: string;
  parallelizationFactor?: number;
  bisectBatchOnFunctionError?: boolean;
  maximumRetryAttempts?: number;
  maximumRecordAgeInSeconds?: number;
  onFailureDestinationArn?: string;
}

export interface MappingPorts {
  queue: QueuePort;
  stream: StreamPort;
  invoke: InvokeFunction;
  destination: FailureDestination;
  /** Compiles a pattern (JSON) of EventBridge's language, which filters share. */
  compile(pattern: string): (event: unknown) => boolean;
}

/** All event source mappings. They deliver from {@link startAll} on, when every function is there. */
export class EventSourceMappings {
  private readonly environment: Environment;
  private readonly ports: MappingPorts;
  private readonly running = new Map<string, { definition: string; mapping: EventSourceMapping }>();
  private started = false;

  constructor(environment: Environment, ports: MappingPorts) {
    this.environment = environment;
    this.ports = ports;
  }

  /** Creates a mapping, or replaces it when it differs. @throws Error for values that AWS refuses. */
  define(definition: MappingDefinition): void {
    const text = JSON.stringify(definition);
    const before = this.running.get(definition.id);
    if (before?.definition === text) return;
    before?.mapping.stop();
    this.running.delete(definition.id);
    if (definition.enabled === false) return;
    const mapping = this.create(definition);
    this.running.set(definition.id, { definition: text, mapping });
    if (this.started) mapping.start();
  }

  remove(id: string): void {
    this.running.get(id)?.mapping.stop();
    this.running.delete(id);
  }

  startAll(): void {
    if (this.started) return;
    this.started = true;
    for (const { mapping } of this.running.values()) {
      mapping.recover();
      mapping.start();
    }
  }

  close(): void {
    for (const { mapping } of this.running.values()) mapping.stop();
    this.running.clear();
  }

  private create(definition: MappingDefinition): EventSourceMapping {
    const service = definition.eventSourceArn.split(':')[2];
    if (service === 'sqs') return this.queueMapping(definition);
    if (service === 'dynamodb') return this.streamMapping(definition);
    throw new Error(`The embedded AWS knows no event source mapping of ${definition.eventSourceArn}.`);
  }

  private queueMapping(definition: MappingDefinition): QueueMapping {
    const {
      eventSourceArn,
      batchSize = 10,
      maximumBatchingWindowInSeconds: window = 0,
      maximumConcurrency,
    } = definition;
    const isFifo = eventSourceArn.endsWith('.fifo');
    if (isFifo && window > 0) throw new Error('Batching window is not supported for FIFO queues.');
    within('BatchSize', batchSize, 1, isFifo ? 10 : 10_000);
    within('MaximumBatchingWindowInSeconds', window, 0, 300);
    if (batchSize > 10 && window === 0)
      throw new Error(
        `BatchSize ${batchSize} needs a MaximumBatchingWindowInSeconds of at least 1; allowed without is 10.`,
      );
    if (maximumConcurrency !== undefined) within('MaximumConcurrency', maximumConcurrency, 2, 1000);
    const matches = this.filter(definition);
    return new QueueMapping(
      this.environment,
      {
        queueArn: eventSourceArn,
        functionArn: definition.functionArn,
        batchSize,
        batchingWindowSeconds: window,
        maximumConcurrency,
        reportsItemFailures: reportsItemFailures(definition),
        matches: matches && ((message) => matches({ ...message, body: parsed(message.body) })),
      },
      this.ports.queue,
      this.ports.invoke,
    );
  }

  private streamMapping(definition: MappingDefinition): StreamMapping {
    const { batchSize = 100, maximumBatchingWindowInSeconds: window = 0, parallelizationFactor = 1 } = definition;
    const { maximumRetryAttempts = -1, maximumRecordAgeInSeconds: age = -1, startingPosition } = definition;
    within('BatchSize', batchSize, 1, 10_000);
    within('MaximumBatchingWindowInSeconds', window, 0, 300);
    within('ParallelizationFactor', parallelizationFactor, 1, 10);
    within('MaximumRetryAttempts', maximumRetryAttempts, -1, 10_000);
    if (age !== -1) within('MaximumRecordAgeInSeconds', age, 60, 604_800);
    if (startingPosition !== 'TRIM_HORIZON' && startingPosition !== 'LATEST')
      throw new Error(`StartingPosition of a stream must be TRIM_HORIZON or LATEST, received ${startingPosition}.`);
    const matches = this.filter(definition);
    return new StreamMapping(
      this.environment,
      {
        id: definition.id,
        streamArn: definition.eventSourceArn,
        functionArn: definition.functionArn,
        shardId: 'shardId-00000000000000000001-local000',
        batchSize,
        batchingWindowSeconds: window,
        parallelizationFactor,
        startingPosition,
        bisects: definition.bisectBatchOnFunctionError ?? false,
        maximumRetryAttempts,
        maximumRecordAgeSeconds: age,
        reportsItemFailures: reportsItemFailures(definition),
        onFailureArn: definition.onFailureDestinationArn,
        matches,
      },
      this.ports.stream,
      this.ports.invoke,
      this.ports.destination,
    );
  }

  private filter({ filterPatterns }: MappingDefinition): ((event: unknown) => boolean) | undefined {
    if (!filterPatterns?.length) return undefined;
    const matchers = filterPatterns.map((pattern) => this.ports.compile(pattern));
    return (event) => matchers.some((matches) => matches(event));
  }
}

function reportsItemFailures(definition: MappingDefinition): boolean {
  return definition.functionResponseTypes?.includes('ReportBatchItemFailures') ?? false;
}

function within(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most)
    throw new Error(`${name} must be an integer from ${least} to ${most}, received ${value}.`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
