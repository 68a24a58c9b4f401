import { subjectOf } from '../../lib/domain/head.ts';
import type { Event } from '../../lib/http/schemas/event.ts';
import type { ExpectedEvent, Ledger } from './ledger.ts';
import type { World } from './world.ts';

const tenant = 'default';
const shown = 3;

/** What the log lacks of what writes have carried, a line for each log. A stream may be behind. */
export async function untold(world: World, ledger: Ledger): Promise<string[]> {
  const logs = await readFeed(world);
  const lines: string[] = [];
  for (const [subject, expected] of ledger.expected) {
    const told = new Set(logs.get(subject)?.map(({ id }) => id));
    const missing = expected.filter(({ id }) => !told.has(id));
    if (missing.length > 0)
      lines.push(`that of ${subject} lacks ${missing.length} of ${expected.length}, ${some(missing)}`);
  }
  return lines;
}

/** Invariant 7: the log tells every transition once, without gaps, those of each row in their order. */
export async function checkEvents(world: World, ledger: Ledger): Promise<void> {
  const logs = await readFeed(world);
  for (const [subject, events] of logs) compare(world, subject, ledger.expected.get(subject) ?? [], events);
  // What one asks for by its name is the same as what the feed of all tells.
  for (const kind of ['agt_', 'run_', 'schedule/']) {
    const subject = [...ledger.expected.keys()].find((name) => name.startsWith(kind));
    if (subject === undefined) continue;
    const own = await readAll(world, queryOf(subject));
    if (JSON.stringify(own) !== JSON.stringify(logs.get(subject)))
      world.fail(`The log of ${subject} is not what the feed tells of it.`, subject);
  }
}

function compare(world: World, subject: string, expected: readonly ExpectedEvent[], events: readonly Event[]): void {
  const gap = events.findIndex(({ seq }, index) => seq !== index + 1);
  if (gap >= 0) world.fail(`Event ${gap + 1} of ${subject} has the number ${events[gap]!.seq}.`, subject);
  const writes = new Map(expected.map((event) => [event.id, event]));
  const told = new Map<string, number>();
  for (const { id } of events) told.set(id, (told.get(id) ?? 0) + 1);
  const twice = expected.filter(({ id }) => (told.get(id) ?? 0) > 1);
  if (twice.length > 0)
    world.fail(`${twice.length} events are more than once in the log of ${subject}, ${some(twice)}.`, subject);
  const unknown = events.filter(({ id }) => !writes.has(id));
  if (unknown.length > 0)
    world.fail(
      `The log of ${subject} has ${unknown.length} events that no write carried, such as ${unknown[0]!.type}.`,
      subject,
    );
  const latest = new Map<string, number>();
  for (const { id, type } of events) {
    const { row, version } = writes.get(id) ?? { row: 'unknown', version: 0 };
    if (version < (latest.get(row) ?? 0)) world.fail(`${type} of ${row} is told after a later one.`, subject);
    latest.set(row, version);
  }
}

function some(events: readonly ExpectedEvent[]): string {
  const named = events.slice(0, shown).map(({ type, row, version }) => {
    const whose = row === 'head' ? '' : ` of ${row}`;
    return `${type}${whose} (version ${version})`;
  });
  return `${named.join(', ')}${events.length > shown ? ', …' : ''}`;
}

/** The events of everything, by what they are of. */
async function readFeed(world: World): Promise<Map<string, Event[]>> {
  const logs = new Map<string, Event[]>();
  for (const event of await readAll(world, '')) {
    const subject = subjectOfEvent(event);
    const log = logs.get(subject) ?? [];
    logs.set(subject, log);
    log.push(event);
  }
  return logs;
}

/** Tasks' events are of their agent. */
function subjectOfEvent({ agentId, schedule, pool, runId }: Event): string {
  if (agentId !== null) return agentId;
  if (schedule !== null) return subjectOf({ tenant, kind: 'schedule', id: schedule });
  if (pool !== null) return subjectOf({ tenant, kind: 'pool', id: pool });
  return runId ?? subjectOf({ tenant, kind: 'fleet', id: 'fleet' });
}

function queryOf(subject: string): string {
  if (subject.startsWith('agt_')) return `agentId=${subject}&`;
  return subject.startsWith('run_') ? `runId=${subject}&` : `schedule=${subject.slice('schedule/'.length)}&`;
}

async function readAll(world: World, query: string): Promise<Event[]> {
  const events: Event[] = [];
  for (let cursor = ''; ; ) {
    const path = `/v1/events?${query}limit=200${cursor && `&after=${encodeURIComponent(cursor)}`}`;
    const { status, body } = await world.stack.request('GET', path);
    if (status !== 200) throw new Error(`${path} was answered with ${status}: ${JSON.stringify(body)}`);
    if (body.items.length === 0) return events;
    events.push(...body.items);
    cursor = body.nextCursor;
  }
}
