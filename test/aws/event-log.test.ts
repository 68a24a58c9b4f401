import { describe, expect, it } from 'vitest';
import { Conflict, type StreamedEvents } from '../../lib/app/ports.ts';
import { DynamoEventLog, feedLagMs } from '../../lib/aws/event-log.ts';
import { eventPartition, eventPrefix } from '../../lib/aws/keys.ts';
import { agentHead } from '../../lib/domain/head.ts';
import { idOf } from '../../lib/domain/id.ts';
import { agentId, anEvent, nowMs, taskId, ulid } from '../support/builders.ts';
import { crashAfter, makeTables } from './tables.ts';

const tenant = 'default';
const retentionDays = 30;

async function setUp() {
  const { log: table, environment } = await makeTables();
  const log = new DynamoEventLog(table, retentionDays);
  const append = (records: StreamedEvents[], atMs = nowMs, agent = agentId) =>
    log.append(agentHead(tenant, agent), records, atMs);
  /** Type and number of all events of the agent. */
  const all = async (agent = agentId) =>
    (await log.of(agentHead(tenant, agent), { limit: 10_000, after: undefined })).items.map((event) => [
      event.seq,
      event.type,
    ]);
  const items = () =>
    table.page(eventPartition(agentHead(tenant, agentId)), eventPrefix, { limit: 1000, strong: true });
  return { table, environment, log, append, all, items };
}

/** One write of one row, at a position in the stream, with one event. */
const write = (position: number, type = `e${position}`, timeMs = nowMs): StreamedEvents => ({
  sequence: String(position),
  rowVersion: position,
  events: [anEvent(type, { timeMs })],
});
const writes = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => write(from + i));
const agentOf = (number: number) => idOf('agent', ulid(number));

describe('appending', () => {
  it('numbers events from one, without gaps, across batches', async () => {
    const { append, all } = await setUp();
    await append([write(10), write(20)]);
    await append([write(30)]);
    expect(await all()).toEqual([
      [1, 'e10'],
      [2, 'e20'],
      [3, 'e30'],
    ]);
  });

  it('numbers the agents apart', async () => {
    const { append, all } = await setUp();
    await append([write(1)]);
    await append([write(2)], nowMs, agentOf(5));
    expect(await all(agentOf(5))).toEqual([[1, 'e2']]);
  });

  it('keeps the tail of an agent that may sleep for years, so that no number is given twice', async () => {
    const { append, items } = await setUp();
    const ends = async () => (await items()).map((item) => item.ttl !== undefined);
    await append([write(1, 'agent.created')]);
    expect(await ends()).toEqual([false]);
    await append([write(2, 'task.queued')]);
    expect(await ends()).toEqual([true, false]);
    await append([write(3, 'agent.starting'), write(4, 'agent.running')]);
    expect(await ends()).toEqual([true, true, true]);
    await append([write(5, 'agent.paused')]);
    expect(await ends()).toEqual([true, true, true, false]);
  });

  it('answers with what it recorded', async () => {
    const { append } = await setUp();
    const [event] = [anEvent('task.queued')];
    const recorded = await append([{ sequence: '1', rowVersion: 4, taskId, events: [event!] }]);
    expect(recorded).toEqual([{ ...event, seq: 1, agentId, taskId, rowVersion: 4 }]);
  });

  it('keeps all that an event tells', async () => {
    const { append, log } = await setUp();
    const recorded = await append([
      { sequence: '1', rowVersion: 1, taskId, events: [anEvent('a', { data: { b: [1] } })] },
    ]);
    expect((await log.of(agentHead(tenant, agentId), { limit: 1, after: undefined })).items).toEqual(recorded);
  });

  it('numbers all events of one write one after the other', async () => {
    const { append, all } = await setUp();
    await append([{ sequence: '1', rowVersion: 1, events: [anEvent('a'), anEvent('b')] }, write(2, 'c')]);
    expect(await all()).toEqual([
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ]);
  });

  it('leaves out writes without events', async () => {
    const { append, items } = await setUp();
    expect(await append([{ sequence: '1', rowVersion: 1, events: [] }])).toEqual([]);
    expect(await items()).toEqual([]);
  });

  it('records a batch by one item, and a large one by items of a hundred events', async () => {
    const { append, all, items } = await setUp();
    await append(writes(1, 60));
    expect(await items()).toHaveLength(1);
    await append(writes(101, 350));
    expect((await items()).map((item) => (item.events as unknown[]).length)).toEqual([60, 100, 100, 50]);
    expect((await all()).map(([seq]) => seq)).toEqual(Array.from({ length: 310 }, (_, i) => i + 1));
  });

  it('lets items expire after the retention', async () => {
    const { append, items } = await setUp();
    await append([write(1)]);
    expect((await items())[0]?.ttl).toBe(nowMs / 1000 + retentionDays * 86_400);
  });
});

describe('what comes again', () => {
  it('is skipped, and answered as it was recorded: whoever publishes it may have died', async () => {
    const { append, all } = await setUp();
    const batch = writes(1, 3);
    const recorded = await append(batch);
    expect(await append(batch)).toEqual(recorded);
    expect(await all()).toHaveLength(3);
  });

  it('is skipped within a batch', async () => {
    const { append, all } = await setUp();
    const twice = write(1);
    await append([twice, write(2), twice]);
    expect(await all()).toEqual([
      [1, 'e1'],
      [2, 'e2'],
    ]);
  });

  it('is skipped in a batch that also brings what is new', async () => {
    const { append, all } = await setUp();
    const batch = writes(1, 4);
    await append(batch.slice(0, 2));
    expect((await append(batch)).map((event) => event.seq)).toEqual([1, 2, 3, 4]);
    expect(await all()).toHaveLength(4);
  });

  it('is skipped however much was recorded since', async () => {
    const { append, all } = await setUp();
    const early = write(1);
    await append([early]);
    for (let position = 2; position <= 60; position++) await append([write(position)]);
    expect((await append([early])).map((event) => event.seq)).toEqual([1]);
    expect(await all()).toHaveLength(60);
  });

  it('is skipped although older events were recorded after it', async () => {
    const { append, all } = await setUp();
    const event = write(100);
    await append([event], nowMs);
    // A replay of yesterday's failed records becomes the oldest item of the first page that the look-up reads.
    await append([write(1, 'old', nowMs - 86_400_000)], nowMs + 1);
    for (let i = 0; i < 24; i++) await append([write(200 + i)], nowMs + 2);
    expect((await append([event], nowMs + 3)).map((event) => event.seq)).toEqual([1]);
    expect(await all()).toHaveLength(26);
  });

  it('is recorded once when the recorder died between two items', async () => {
    const { append, all, environment } = await setUp();
    const batch = writes(1, 250);
    crashAfter(environment, 'PutItem');
    await expect(append(batch)).rejects.toThrow('InternalServerError');
    expect(await all()).toHaveLength(100);
    expect((await append(batch)).map((event) => event.seq)).toEqual(Array.from({ length: 250 }, (_, i) => 1 + i));
    expect((await all()).map(([, type]) => type)).toEqual(batch.map((record) => record.events[0]!.type));
  });
});

describe('what comes late', () => {
  it('is appended once, after what overtook it', async () => {
    const { append, all } = await setUp();
    const late = write(5, 'late');
    await append(writes(6, 9));
    expect((await append([late])).map((event) => event.seq)).toEqual([5]);
    expect((await append([late])).map((event) => event.seq)).toEqual([5]);
    expect((await all()).at(-1)).toEqual([5, 'late']);
  });

  it('does not move the position back', async () => {
    const { append, all } = await setUp();
    await append([write(9)]);
    await append([write(5)]);
    await append([write(9, 'other')]);
    await append(writes(10, 11));
    expect(await all()).toHaveLength(5);
  });

  it('is told from what is new by the number, not by the text, of its position', async () => {
    const { append, all } = await setUp();
    await append([write(9)]);
    await append([write(10)]);
    await append([{ ...write(11), sequence: '49590338271490256608559692538361571095921575989136588898' }]);
    expect(await all()).toHaveLength(3);
  });
});

describe('two recorders at once', () => {
  it('never give a number twice: one of them has to look again', async () => {
    const { append, all } = await setUp();
    await append([write(1)]);
    const [one, other] = [write(2, 'one'), write(3, 'other')];
    const outcomes = await Promise.allSettled([append([one]), append([other])]);
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused.map((outcome) => outcome.reason)).toEqual([expect.any(Conflict)]);
    await append([one]);
    await append([other]);
    expect((await all()).map(([seq]) => seq)).toEqual([1, 2, 3]);
    expect(new Set((await all()).map(([, type]) => type))).toEqual(new Set(['e1', 'one', 'other']));
  });
});

describe('reading an agent’s events', () => {
  it('gives pages of any size over packed items, each event once, in order', async () => {
    const { append, log } = await setUp();
    const sizes = [1, 7, 100, 3, 40, 1, 1];
    let position = 0;
    for (const size of sizes) {
      await append(writes(position + 1, position + size));
      position += size;
    }
    for (const limit of [1, 6, 50, 153]) {
      const seen: number[] = [];
      let after: string | undefined;
      do {
        const page = await log.of(agentHead(tenant, agentId), { limit, after });
        expect(page.items.length).toBeLessThanOrEqual(limit);
        seen.push(...page.items.map((event) => event.seq));
        expect(page.cursor).toBe(String(seen.at(-1)));
        after = page.next;
      } while (after);
      expect(seen).toEqual(Array.from({ length: 153 }, (_, i) => i + 1));
    }
  });

  it('begins after a cursor, wherever it lies', async () => {
    const { append, log } = await setUp();
    await append(writes(1, 5));
    await append(writes(6, 7));
    for (let after = 0; after <= 7; after++) {
      const { items } = await log.of(agentHead(tenant, agentId), { limit: 10, after: String(after) });
      expect(items.map((event) => event.seq)).toEqual([1, 2, 3, 4, 5, 6, 7].slice(after));
    }
  });

  it('keeps the cursor when there is nothing new', async () => {
    const { append, log } = await setUp();
    await append([write(1)]);
    const page = await log.of(agentHead(tenant, agentId), { limit: 10, after: '1' });
    expect(page).toEqual({ items: [], next: undefined, cursor: '1' });
  });

  it('gives an empty page of an agent without events', async () => {
    const { log } = await setUp();
    const page = await log.of(agentHead(tenant, agentId), { limit: 10, after: undefined });
    expect(page).toEqual({ items: [], next: undefined, cursor: undefined });
  });

  it('reads on where 1 MB of large events ends', async () => {
    const { append, log } = await setUp();
    for (let i = 1; i <= 6; i++)
      await append([
        { sequence: String(i), rowVersion: i, events: [anEvent('big', { data: { text: 'x'.repeat(300_000) } })] },
      ]);
    const page = await log.of(agentHead(tenant, agentId), { limit: 6, after: undefined });
    expect(page.items.map((event) => event.seq)).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe('reading a tenant’s events', () => {
  const later = nowMs + 3_600_000;

  it('shows them in the order in which they were recorded', async () => {
    const { append, log } = await setUp();
    for (let i = 1; i <= 20; i++) await append([write(i)], nowMs + i, agentOf(i % 7));
    const { items } = await log.ofTenant(tenant, { limit: 100, after: undefined }, later);
    expect(items.map((event) => event.type)).toEqual(Array.from({ length: 20 }, (_, i) => `e${i + 1}`));
  });

  it('gives pages of any size, each event once', async () => {
    const { append, log } = await setUp();
    let count = 0;
    for (const [i, size] of [3, 1, 12, 1, 5, 30, 2].entries()) {
      await append(writes(count + 1, count + size), nowMs + i, agentOf(i));
      count += size;
    }
    for (const limit of [1, 2, 7, 54, 100]) {
      const seen: string[] = [];
      let after: string | undefined;
      for (let pages = 0; pages <= count; pages++) {
        const page = await log.ofTenant(tenant, { limit, after }, later);
        seen.push(...page.items.map((event) => event.type));
        after = page.next;
        if (after === undefined) break;
        expect(page.items).toHaveLength(limit);
      }
      expect(seen).toEqual(Array.from({ length: count }, (_, i) => `e${i + 1}`));
    }
  });

  it('stays behind by the lag, and shows the rest from the same cursor later', async () => {
    const { append, log } = await setUp();
    await append([write(1)], nowMs);
    await append([write(2)], nowMs + 1000, agentOf(3));
    const first = await log.ofTenant(tenant, { limit: 10, after: undefined }, nowMs + feedLagMs + 1);
    expect(first.items.map((event) => event.type)).toEqual(['e1']);
    expect(first.next).toBeUndefined();
    const nothing = await log.ofTenant(tenant, { limit: 10, after: first.cursor }, nowMs + feedLagMs + 1);
    expect(nothing).toEqual({ items: [], next: undefined, cursor: first.cursor });
    const second = await log.ofTenant(tenant, { limit: 10, after: first.cursor }, later);
    expect(second.items.map((event) => event.type)).toEqual(['e2']);
  });

  it('shows nothing of another tenant', async () => {
    const { append, log } = await setUp();
    await append([write(1)]);
    expect((await log.ofTenant('other', { limit: 10, after: undefined }, later)).items).toEqual([]);
    expect((await log.of(agentHead('other', agentId), { limit: 10, after: undefined })).items).toEqual([]);
  });
});
