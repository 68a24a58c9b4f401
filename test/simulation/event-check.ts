import type { Event } from '../../lib/http/schemas/event.ts';
import type { ExpectedEvent, Ledger } from './ledger.ts';
import type { World } from './world.ts';

/** Events that the log does not tell yet. A stream may be behind. */
export async function untold(world: World, ledger: Ledger): Promise<string[]> {
  const missing: string[] = [];
  for (const [agentId, expected] of ledger.expected) {
    if (!ledger.agents.has(agentId)) continue;
    const told = new Set((await eventsOf(world, agentId)).map((event) => event.id));
    for (const { id, type, row, version } of expected)
      if (!told.has(id)) missing.push(`${type} of ${agentId}, ${row}, version ${version}`);
  }
  return missing;
}

/** Invariant 7: the log tells every transition once, without gaps, those of each row in their order. */
export async function checkEvents(world: World, ledger: Ledger): Promise<void> {
  for (const [agentId, expected] of ledger.expected) {
    if (!ledger.agents.has(agentId)) continue;
    compare(world, agentId, expected, await eventsOf(world, agentId));
  }
}

function compare(world: World, agentId: string, expected: ExpectedEvent[], events: Event[]): void {
  events.forEach((event, index) => {
    if (event.seq !== index + 1) world.fail(`Event ${index + 1} of ${agentId} has the number ${event.seq}.`, agentId);
  });
  const told = new Map<string, number>();
  for (const { id } of events) told.set(id, (told.get(id) ?? 0) + 1);
  for (const { id, type, row, version } of expected)
    if (told.get(id) !== 1)
      world.fail(`${type} of ${row}, version ${version}, is in the log ${told.get(id) ?? 0} times.`, agentId);
  if (events.length !== expected.length)
    world.fail(`The log of ${agentId} has ${events.length} events instead of ${expected.length}.`, agentId);
  const writes = new Map(expected.map((event) => [event.id, event]));
  const latest = new Map<string, number>();
  for (const { id, type } of events) {
    const { row, version } = writes.get(id) ?? { row: 'unknown', version: 0 };
    if (version < (latest.get(row) ?? 0)) world.fail(`${type} of ${row} is told after a later one.`, agentId);
    latest.set(row, version);
  }
}

async function eventsOf(world: World, agentId: string): Promise<Event[]> {
  const events: Event[] = [];
  for (let cursor = ''; ; ) {
    const path = `/v1/events?agentId=${agentId}&limit=200${cursor && `&after=${encodeURIComponent(cursor)}`}`;
    const { status, body } = await world.stack.request('GET', path);
    if (status !== 200) throw new Error(`${path} was answered with ${status}: ${JSON.stringify(body)}`);
    if (body.items.length === 0) return events;
    events.push(...body.items);
    cursor = body.nextCursor;
  }
}
