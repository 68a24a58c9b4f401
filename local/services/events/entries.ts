import { AwsError, refuseUnknownParameters } from '../../errors.ts';

type Input = Record<string, unknown>;

/** An event as its publisher gives it. */
export interface NewEvent {
  source: string;
  detailType: string;
  detail: unknown;
  resources?: string[];
  timeMs?: number;
}

/** An entry of PutEvents: an event for a bus, or why it is refused. */
export type Entry = { event: NewEvent; bus: unknown } | { ErrorCode: string; ErrorMessage: string };

const maxTotalBytes = 1_048_576;
const known = ['Time', 'Source', 'Resources', 'DetailType', 'Detail', 'EventBusName', 'TraceHeader'];

/** @throws AwsError when there are too many entries, or when they are too large together */
export function readEntries(value: unknown): Entry[] {
  const entries = (value ?? []) as Input[];
  if (entries.length < 1 || entries.length > 10)
    throw new AwsError(
      'ValidationException',
      `1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length between 1 and 10, not ${entries.length}`,
    );
  const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
  if (bytes >= maxTotalBytes)
    throw new AwsError(
      'ValidationException',
      `Total size of the entries in the request is over the limit: ${bytes} bytes, less than ${maxTotalBytes} are allowed.`,
    );
  for (const entry of entries) refuseUnknownParameters('events', 'PutEvents', entry, known);
  return entries.map(readEntry);
}

function readEntry(entry: Input): Entry {
  const refuse = (ErrorCode: string, ErrorMessage: string) => ({ ErrorCode, ErrorMessage });
  for (const name of ['Source', 'DetailType', 'Detail']) {
    if (typeof entry[name] !== 'string' || entry[name] === '')
      return refuse('InvalidArgument', `Parameter ${name} is not valid. Reason: ${name} is a required argument.`);
  }
  const { Source: source = '', DetailType: detailType = '', Detail: text = '' } = entry as Record<string, string>;
  if (source.startsWith('aws.')) return refuse('NotAuthorizedForSourceException', 'Not authorized for the source.');
  if (detailType.length > 128)
    return refuse('InvalidArgument', 'Parameter DetailType is not valid. Reason: at most 128 characters are allowed.');
  const detail = parseObject(text);
  if (!detail) return refuse('MalformedDetail', 'Detail is malformed.');
  const event: NewEvent = { source, detailType, detail, resources: (entry.Resources ?? []) as string[] };
  if (typeof entry.Time === 'number') event.timeMs = entry.Time * 1000;
  return { event, bus: entry.EventBusName };
}

function entryBytes(entry: Input): number {
  const texts = [entry.Source, entry.DetailType, entry.Detail, ...((entry.Resources ?? []) as unknown[])];
  return texts.reduce<number>(
    (sum, text) => sum + Buffer.byteLength(String(text ?? '')),
    entry.Time === undefined ? 0 : 14,
  );
}

function parseObject(text: string): object | undefined {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
