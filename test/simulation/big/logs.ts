import type { Event } from '../../../lib/http/schemas/event.ts';
import type { ApiClient } from '../api-client.ts';
import type { Ledger } from '../ledger.ts';
import type { World } from '../world.ts';

/**
 * Invariant 7, a log at a time since all of them together would fill the memory: each tells exactly what the writes of
 * its subject carried, once and without gaps.
 * @returns a line for each log that lacks something still
 */
export async function incompleteLogs(world: World, ledger: Ledger, api: ApiClient): Promise<string[]> {
  const lacking: string[] = [];
  for (const [subject, expected] of ledger.expected) {
    const query = queryOf(subject);
    if (query === undefined) continue;
    const events = await eventsOf(api, query);
    const told = new Set(events.map(({ id }) => id));
    const gap = events.findIndex(({ seq }, index) => seq !== index + 1);
    if (gap >= 0) world.fail(`Event ${gap + 1} of ${subject} has the number ${events[gap]!.seq}.`, subject);
    if (told.size < events.length) world.fail(`An event is in the log of ${subject} twice.`, subject);
    const missing = expected.filter(({ id }) => !told.has(id)).length;
    if (events.length > expected.length - missing)
      world.fail(`The log of ${subject} has ${events.length} events of ${expected.length} that were carried.`, subject);
    if (missing > 0) lacking.push(`that of ${subject} lacks ${missing} of ${expected.length}`);
  }
  return lacking;
}

function queryOf(subject: string): string | undefined {
  if (subject.startsWith('agt_')) return `agentId=${subject}`;
  return subject.startsWith('schedule/') ? `schedule=${subject.slice('schedule/'.length)}` : undefined;
}

async function eventsOf(api: ApiClient, query: string): Promise<Event[]> {
  const events: Event[] = [];
  for (let cursor = ''; ; ) {
    const path = `/v1/events?${query}&limit=200${cursor && `&after=${encodeURIComponent(cursor)}`}`;
    const answer = await api.get(path);
    if (answer?.status !== 200)
      throw new Error(`${path} was answered with ${answer?.status}: ${JSON.stringify(answer?.body)}`);
    events.push(...answer.body.items);
    if (answer.body.items.length === 0) return events;
    cursor = answer.body.nextCursor;
  }
}
