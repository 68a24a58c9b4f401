import { createHash } from 'node:crypto';
import { tooLarge } from '../../domain/errors.ts';
import { runObjects } from '../../domain/object-key.ts';
import { type Items, type ItemsRef, itemsPerChunk, type ValueRef } from '../../domain/run.ts';
import type { Deps } from '../deps.ts';
import { inParallel } from '../in-parallel.ts';
import { getTask } from '../tasks.ts';

/** A value up to this size stays in the run's head, which every step forward writes whole. */
const inlineBytes = 1024;
/** What an expression can read, and what a step can be given: the limit of expressions' results too. */
export const longestValueBytes = 8 * 1024 * 1024;
/** Objects that are written or read beside each other. */
const parallel = 10;

/** Keeps a value for a run. Its object is named after what it says too: nobody who was too late replaces another's. */
export async function keepValue(
  deps: Deps,
  run: { tenant: string; id: string },
  name: string,
  value: unknown,
): Promise<ValueRef> {
  const text = JSON.stringify(value ?? null);
  const bytes = Buffer.byteLength(text);
  if (bytes <= inlineBytes) return { inline: value ?? null };
  if (bytes > longestValueBytes) throw tooLarge(name, bytes, longestValueBytes);
  const key = `${runObjects(run.tenant, run.id)}${name}-${digestOf(text)}`;
  await deps.objects.put(key, text, 'application/json');
  return { key, bytes };
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** @throws RouseError too_large when it is more than an expression may read */
export async function readValue(deps: Deps, tenant: string, ref: ValueRef): Promise<unknown> {
  if ('inline' in ref) return ref.inline;
  if ('key' in ref) return readJson(deps, ref.key, ref.bytes);
  if ('runId' in ref) {
    const run = await deps.runs.get(tenant, ref.runId);
    return run?.output === undefined ? null : readValue(deps, tenant, run.output);
  }
  const { record } = await getTask(deps, tenant, ref.taskId);
  if (record.outputKey === undefined) return record.output ?? null;
  const bytes = record.outputBytes ?? 0;
  if (bytes > longestValueBytes) throw tooLarge(`The output of ${ref.taskId}`, bytes, longestValueBytes);
  const object = await deps.objects.read(record.outputKey);
  if (!object) throw new Error(`The output of ${ref.taskId} is not in the bucket.`);
  return object.contentType.includes('json') ? JSON.parse(object.text) : object.text;
}

async function readJson(deps: Deps, key: string, bytes: number): Promise<unknown> {
  if (bytes > longestValueBytes) throw tooLarge(key, bytes, longestValueBytes);
  const object = await deps.objects.read(key);
  if (!object) throw new Error(`${key} is not in the bucket.`);
  return JSON.parse(object.text);
}

/** Keeps the items of a forEach step so that a few of them can be read without the others. */
export async function keepItems(
  deps: Deps,
  run: { tenant: string; id: string },
  step: string,
  items: Items,
): Promise<ItemsRef> {
  const text = JSON.stringify(items);
  if (Buffer.byteLength(text) <= inlineBytes) return { inline: items };
  const prefix = `${runObjects(run.tenant, run.id)}${step}/items-${digestOf(text)}-`;
  const chunks = Array.from({ length: Math.ceil(items.items.length / itemsPerChunk) }, (_, chunk) => chunk);
  await inParallel(chunks, parallel, async (chunk) => {
    const slice = <T>(all: T[]) => all.slice(chunk * itemsPerChunk, (chunk + 1) * itemsPerChunk);
    const { agents } = items;
    const body: Items = { items: slice(items.items), ...(agents ? { agents: slice(agents) } : {}) };
    await deps.objects.put(`${prefix}${chunk}`, JSON.stringify(body), 'application/json');
  });
  return { prefix };
}

/** Reads items one by one, each object once. */
export class ItemReader {
  private readonly deps: Deps;
  private readonly ref: ItemsRef;
  private readonly chunks = new Map<number, Promise<Items>>();

  constructor(deps: Deps, ref: ItemsRef) {
    this.deps = deps;
    this.ref = ref;
  }

  async item(index: number): Promise<{ item: unknown; agentId: string | undefined }> {
    const { items, at } = await this.holding(index);
    return { item: items.items[at], agentId: items.agents?.[at] };
  }

  private async holding(index: number): Promise<{ items: Items; at: number }> {
    if ('inline' in this.ref) return { items: this.ref.inline, at: index };
    const chunk = Math.floor(index / itemsPerChunk);
    const key = `${this.ref.prefix}${chunk}`;
    const reading = this.chunks.get(chunk) ?? this.read(key);
    this.chunks.set(chunk, reading);
    return { items: await reading, at: index % itemsPerChunk };
  }

  private async read(key: string): Promise<Items> {
    const object = await this.deps.objects.read(key);
    if (!object) throw new Error(`${key} is not in the bucket.`);
    return JSON.parse(object.text) as Items;
  }
}
