import { AwsError, notEmulated, refuseUnknownParameters } from '../errors.ts';
import type { Environment, JsonService } from '../service.ts';
import type { StoredMap } from '../store.ts';

type Input = Record<string, unknown>;

interface StoredGroup {
  name: string;
  createdMs: number;
  retentionDays?: number;
}

interface LogEvent {
  id: number;
  timestamp: number;
  ingestionTime: number;
  message: string;
}

/** Streams and their events are in memory only. */
interface Stream {
  name: string;
  createdMs: number;
  events: LogEvent[];
  /** In order of their time as they came, so that reading needs no sorting. */
  sorted: boolean;
}

const retentions = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];
const maxBatchBytes = 1_048_576;
const namePattern = /^[.\-_/#A-Za-z0-9]{1,512}$/;

/** CloudWatch Logs: groups are kept, events live in memory, the newest `maxEventsPerGroup` of each group. */
export class LogsService implements JsonService {
  readonly protocol = 'json';
  readonly name = 'logs';
  readonly targetPrefix = 'Logs_20140328';
  readonly jsonVersion = '1.1';
  private readonly environment: Environment;
  private readonly maxEventsPerGroup: number;
  private readonly groups: StoredMap<StoredGroup>;
  private readonly streams = new Map<string, Map<string, Stream>>();
  private readonly operations: Record<string, { known: readonly string[]; run(input: Input): unknown }>;
  /** Events of each group. */
  private readonly counts = new Map<string, number>();
  private lastId = 0;

  constructor(environment: Environment, maxEventsPerGroup = 20_000) {
    this.environment = environment;
    this.maxEventsPerGroup = maxEventsPerGroup;
    this.groups = environment.store.map('log-groups');
    this.operations = {
      CreateLogGroup: { known: ['logGroupName', 'tags', 'logGroupClass'], run: (input) => this.createGroup(input) },
      DeleteLogGroup: { known: ['logGroupName'], run: (input) => this.deleteGroup(input) },
      PutRetentionPolicy: { known: ['logGroupName', 'retentionInDays'], run: (input) => this.putRetention(input) },
      CreateLogStream: { known: ['logGroupName', 'logStreamName'], run: (input) => this.createStream(input) },
      PutLogEvents: {
        known: ['logGroupName', 'logStreamName', 'logEvents', 'sequenceToken'],
        run: (input) => this.putEvents(input),
      },
      GetLogEvents: {
        known: ['logGroupName', 'logStreamName', 'startTime', 'endTime', 'limit', 'startFromHead', 'nextToken'],
        run: (input) => this.getEvents(input),
      },
      FilterLogEvents: {
        known: [
          'logGroupName',
          'logStreamNames',
          'logStreamNamePrefix',
          'startTime',
          'endTime',
          'filterPattern',
          'limit',
          'nextToken',
          'interleaved',
        ],
        run: (input) => this.filterEvents(input),
      },
      DescribeLogGroups: {
        known: ['logGroupNamePrefix', 'limit', 'nextToken'],
        run: (input) => this.describeGroups(input),
      },
      DescribeLogStreams: {
        known: ['logGroupName', 'logStreamNamePrefix', 'limit', 'nextToken', 'orderBy', 'descending'],
        run: (input) => this.describeStreams(input),
      },
    };
  }

  async call(operation: string, input: Input): Promise<unknown> {
    const found = this.operations[operation];
    if (!found) throw notEmulated('logs', `operation ${operation}`);
    refuseUnknownParameters('logs', operation, input, found.known);
    return found.run(input);
  }

  /** Adds lines of a function or a container at this time; makes the group and the stream when they are missing. */
  append(group: string, stream: string, lines: readonly string[]): void {
    if (!this.groups.has(group)) this.groups.set(group, { name: group, createdMs: this.environment.clock.now() });
    const now = this.environment.clock.now();
    this.add(
      group,
      this.streamOf(group, stream) ?? this.addStream(group, stream),
      lines.map((message) => ({ timestamp: now, message })),
    );
  }

  private createGroup(input: Input): void {
    const name = String(input.logGroupName ?? '');
    if (!namePattern.test(name))
      throw invalid(`Log group name ${name} must be 1 to 512 of the characters . - _ / # A-Z a-z 0-9.`);
    if (this.groups.has(name))
      throw new AwsError('ResourceAlreadyExistsException', 'The specified log group already exists');
    this.groups.set(name, { name, createdMs: this.environment.clock.now() });
  }

  private deleteGroup(input: Input): void {
    const { name } = this.group(input);
    this.groups.delete(name);
    this.streams.delete(name);
    this.counts.delete(name);
  }

  private putRetention(input: Input): void {
    const group = this.group(input);
    const days = input.retentionInDays as number;
    if (!retentions.includes(days))
      throw invalid(`retentionInDays must be one of ${retentions.join(', ')}, not ${days}.`);
    this.groups.set(group.name, { ...group, retentionDays: days });
  }

  private createStream(input: Input): void {
    const { name: group } = this.group(input);
    const name = String(input.logStreamName ?? '');
    if (!/^[^:*]{1,512}$/.test(name))
      throw invalid(`Log stream name ${name} must be 1 to 512 characters without : and *.`);
    if (this.streamOf(group, name))
      throw new AwsError('ResourceAlreadyExistsException', 'The specified log stream already exists');
    this.addStream(group, name);
  }

  private putEvents(input: Input): unknown {
    const { name: group } = this.group(input);
    const stream = this.stream(group, input);
    const events = (input.logEvents ?? []) as { timestamp: number; message: string }[];
    if (events.length < 1 || events.length > 10_000)
      throw invalid(`PutLogEvents takes 1 to 10000 events, not ${events.length}.`);
    const bytes = events.reduce((sum, { message }) => sum + Buffer.byteLength(message) + 26, 0);
    if (bytes > maxBatchBytes) throw invalid(`The batch has ${bytes} bytes; ${maxBatchBytes} are allowed.`);
    if (events.some(({ timestamp }, index) => index > 0 && timestamp < events[index - 1]!.timestamp))
      throw invalid('Log events in a single PutLogEvents request must be in chronological order.');
    this.add(group, stream, events);
    return { nextSequenceToken: String(this.lastId) };
  }

  private add(group: string, stream: Stream, events: { timestamp: number; message: string }[]): void {
    const ingestionTime = this.environment.clock.now();
    for (const { timestamp, message } of events) {
      const last = stream.events.at(-1);
      if (last && last.timestamp > timestamp) stream.sorted = false;
      stream.events.push({ id: ++this.lastId, timestamp, ingestionTime, message });
    }
    this.trim(group, events.length);
  }

  /** Forgets the oldest events of the group's fullest stream, at least a tenth of it at a time. */
  private trim(group: string, added: number): void {
    const total = (this.counts.get(group) ?? 0) + added;
    this.counts.set(group, total);
    if (total <= this.maxEventsPerGroup) return;
    const streams = [...this.streams.get(group)!.values()];
    const { events } = streams.reduce((a, b) => (b.events.length > a.events.length ? b : a));
    const removed = events.splice(0, Math.max(total - this.maxEventsPerGroup, Math.ceil(events.length / 10)));
    this.counts.set(group, total - removed.length);
  }

  private getEvents(input: Input): unknown {
    const { name: group } = this.group(input);
    const limit = limitOf(input, 10_000);
    const all = this.inTime(group, this.stream(group, input), input);
    const token = /^([fb])\/(\d+)$/.exec(String(input.nextToken ?? ''));
    if (input.nextToken !== undefined && !token) throw invalid('The specified nextToken is invalid.');
    const at = Number(token?.[2] ?? 0);
    const forward = token ? token[1] === 'f' : input.startFromHead === true;
    const from = forward ? all.filter(({ id }) => id > at) : all.filter(({ id }) => !token || id < at);
    const page = forward ? from.slice(0, limit) : from.slice(-limit);
    return {
      events: page.map(({ timestamp, ingestionTime, message }) => ({ timestamp, ingestionTime, message })),
      nextForwardToken: `f/${page.at(-1)?.id ?? at}`,
      nextBackwardToken: `b/${page[0]?.id ?? at}`,
    };
  }

  private filterEvents(input: Input): unknown {
    const { name: group } = this.group(input);
    const limit = limitOf(input, 10_000);
    const matches = textFilter(String(input.filterPattern ?? ''));
    const names = input.logStreamNames as string[] | undefined;
    const prefix = String(input.logStreamNamePrefix ?? '');
    const after = Number(input.nextToken ?? 0);
    const found: (LogEvent & { stream: string })[] = [];
    for (const stream of this.streams.get(group)?.values() ?? []) {
      if (names ? !names.includes(stream.name) : !stream.name.startsWith(prefix)) continue;
      for (const event of this.inTime(group, stream, input))
        if (matches(event.message)) found.push({ ...event, stream: stream.name });
    }
    found.sort((a, b) => a.timestamp - b.timestamp || a.id - b.id);
    const page = found.slice(after, after + limit);
    return {
      events: page.map(({ id, stream, timestamp, ingestionTime, message }) => ({
        eventId: String(id),
        logStreamName: stream,
        timestamp,
        ingestionTime,
        message,
      })),
      searchedLogStreams: [],
      ...(found.length > after + limit && { nextToken: String(after + limit) }),
    };
  }

  private describeGroups(input: Input): unknown {
    const groups = [...this.groups.values()].filter(({ name }) =>
      name.startsWith(String(input.logGroupNamePrefix ?? '')),
    );
    return page(groups, input, 'logGroups', ({ name, createdMs, retentionDays }) => ({
      logGroupName: name,
      creationTime: createdMs,
      retentionInDays: retentionDays,
      arn: `${this.arn(name)}:*`,
      storedBytes: 0,
    }));
  }

  private describeStreams(input: Input): unknown {
    const { name: group } = this.group(input);
    const order = String(input.orderBy ?? 'LogStreamName');
    const streams = [...(this.streams.get(group)?.values() ?? [])].filter(({ name }) =>
      name.startsWith(String(input.logStreamNamePrefix ?? '')),
    );
    const last = ({ events }: Stream) => events.at(-1)?.timestamp ?? 0;
    const compare = (a: Stream, b: Stream) =>
      order === 'LastEventTime' ? last(a) - last(b) : a.name < b.name ? -1 : 1;
    const sign = input.descending === true ? -1 : 1;
    return page(
      streams,
      input,
      'logStreams',
      (stream) => ({
        logStreamName: stream.name,
        creationTime: stream.createdMs,
        firstEventTimestamp: stream.events[0]?.timestamp,
        lastEventTimestamp: stream.events.at(-1)?.timestamp,
        lastIngestionTime: stream.events.at(-1)?.ingestionTime,
        arn: `${this.arn(group)}:log-stream:${stream.name}`,
      }),
      (a, b) => sign * compare(a, b),
    );
  }

  private inTime(group: string, stream: Stream, input: Input): LogEvent[] {
    if (!stream.sorted) {
      stream.events.sort((a, b) => a.timestamp - b.timestamp || a.id - b.id);
      stream.sorted = true;
    }
    const days = this.groups.get(group)?.retentionDays;
    const oldest = days === undefined ? 0 : this.environment.clock.now() - days * 86_400_000;
    const from = Math.max(oldest, Number(input.startTime ?? 0));
    const to = Number(input.endTime ?? Number.POSITIVE_INFINITY);
    return stream.events.filter(({ timestamp }) => timestamp >= from && timestamp < to);
  }

  private group(input: Input): StoredGroup {
    const group = this.groups.get(String(input.logGroupName ?? ''));
    if (!group) throw new AwsError('ResourceNotFoundException', 'The specified log group does not exist.');
    return group;
  }

  private stream(group: string, input: Input): Stream {
    const stream = this.streamOf(group, String(input.logStreamName ?? ''));
    if (!stream) throw new AwsError('ResourceNotFoundException', 'The specified log stream does not exist.');
    return stream;
  }

  private streamOf(group: string, stream: string): Stream | undefined {
    return this.streams.get(group)?.get(stream);
  }

  private addStream(group: string, name: string): Stream {
    const stream: Stream = { name, createdMs: this.environment.clock.now(), events: [], sorted: true };
    const streams = this.streams.get(group) ?? new Map<string, Stream>();
    this.streams.set(group, streams.set(name, stream));
    return stream;
  }

  private arn(group: string): string {
    return `arn:aws:logs:${this.environment.region}:${this.environment.accountId}:log-group:${group}`;
  }
}

const invalid = (message: string) => new AwsError('InvalidParameterException', message);

function limitOf(input: Input, max: number): number {
  const limit = (input.limit ?? max) as number;
  if (!Number.isInteger(limit) || limit < 1 || limit > max)
    throw invalid(`limit must be between 1 and ${max}, not ${limit}.`);
  return limit;
}

/** Words that must all be there, or a phrase in quotes. */
function textFilter(pattern: string): (message: string) => boolean {
  if (/^\s*[{[%]|[?]|(^|\s)-/.test(pattern)) throw notEmulated('logs', `filter pattern ${pattern}`);
  const terms = [...pattern.matchAll(/"([^"]*)"|(\S+)/g)].map(([, phrase, word]) => phrase ?? word!);
  return (message) => terms.every((term) => message.includes(term));
}

const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);

function page<T extends { name: string }>(
  all: T[],
  input: Input,
  member: string,
  render: (one: T) => object,
  compare: (a: T, b: T) => number = byName,
): unknown {
  const limit = (input.limit ?? 50) as number;
  if (!Number.isInteger(limit) || limit < 1 || limit > 50)
    throw invalid(`limit must be between 1 and 50, not ${limit}.`);
  const from = Number(input.nextToken ?? 0);
  const sorted = all.sort(compare);
  return {
    [member]: sorted.slice(from, from + limit).map(render),
    ...(sorted.length > from + limit && { nextToken: String(from + limit) }),
  };
}
