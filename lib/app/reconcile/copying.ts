import { createHash } from 'node:crypto';
import type { Agent, Copy } from '../../domain/agent.ts';
import { copied, copyFailed, copyOn } from '../../domain/agent-fork.ts';
import { copiedObject } from '../../domain/object-key.ts';
import type { Deps } from '../deps.ts';
import { pointerTo } from '../generations.ts';
import { readManifest } from '../verify-generation.ts';
import type { Generation } from '../workspace-ports.ts';
import type { Sight, Step } from './step.ts';

/** One look copies so many parts beside each other: about a second's work (S3 copies some 100 MB/s each). */
const partsPerLook = 8;
/** Larger packs are copied in parts of this size. S3 allows 10,000 of them, and 5 GB in one copy. */
const partBytes = 128 * 1024 * 1024;
const againMs = 1000;

/** A fork gets its files: a few parts a look, so that a look that is cut off costs little. */
export async function stepCopying(sight: Sight, copy: Copy): Promise<Step> {
  const { deps, agent, nowMs } = sight;
  const { agentId, generation } = agent.forkOf ?? {};
  const source = generation && agentId ? await deps.generations.get(agent.tenant, agentId, generation) : undefined;
  const from = agentId === undefined ? [] : [{ type: 'timer' as const, atMs: nowMs, agentId }];
  const failed = (reason: string): Step => ({ decision: copyFailed(agent, reason, nowMs), effects: from });
  if (!source) return failed(`generation ${generation} is gone`);
  if (copy.packs >= source.packs.length) {
    const workspace = await writeManifest(deps, agent, source);
    if (typeof workspace === 'string') return failed(workspace);
    return { decision: copied(agent, workspace, nowMs), effects: from, again: true };
  }
  const next = await copySome(deps, agent, source, copy);
  if (typeof next === 'string') return failed(next);
  return {
    decision: copyOn(agent, next, source.packs.length, nowMs),
    effects: [{ type: 'timer', atMs: nowMs + againMs }],
  };
}

const packName = (index: number) => `pack-${index}.tar.zst`;

/** The next small packs, or the next parts of a large one. @returns how far the copy is, or what is wrong */
async function copySome(deps: Deps, agent: Agent, source: Generation, copy: Copy): Promise<Copy | string> {
  const keys = source.packs.slice(copy.packs, copy.packs + partsPerLook);
  const sizes = await Promise.all(keys.map(async (key) => (await deps.objects.head(key))?.bytes));
  const missing = sizes.indexOf(undefined);
  if (missing === 0) return `the pack ${keys[0]} is gone`;
  const known = sizes.slice(0, missing < 0 ? sizes.length : missing).map(Number);
  const to = (index: number) => copiedObject(agent.tenant, agent.id, packName(copy.packs + index));
  const large = known.findIndex((bytes) => bytes > partBytes);
  if (large === 0) return copyParts(deps, { from: keys[0]!, to: to(0), bytes: known[0]! }, copy);
  const small = large < 0 ? known.length : large;
  await Promise.all(keys.slice(0, small).map((key, index) => deps.objects.copy(key, to(index))));
  return { packs: copy.packs + small };
}

async function copyParts(
  deps: Deps,
  { from, to, bytes }: { from: string; to: string; bytes: number },
  copy: Copy,
): Promise<Copy> {
  const upload = copy.upload ?? { id: await deps.objects.startParts(to), etags: [] };
  const first = upload.etags.length;
  const count = Math.min(partsPerLook, Math.ceil(bytes / partBytes) - first);
  const etags = await Promise.all(
    Array.from({ length: count }, (_, i) => {
      const start = (first + i) * partBytes;
      const range = { start, end: Math.min(start + partBytes, bytes) };
      return deps.objects.copyPart(from, to, upload.id, first + i + 1, range);
    }),
  );
  const all = [...upload.etags, ...etags];
  if (all.length * partBytes < bytes) return { packs: copy.packs, upload: { ...upload, etags: all } };
  const isThere = await deps.objects.finishParts(to, upload.id, all, bytes);
  // The upload was lost: begun anew.
  return isThere ? { packs: copy.packs + 1 } : { packs: copy.packs };
}

/** Says of the copied packs what the source's manifest says of its own. @returns the workspace, or what is wrong */
async function writeManifest(deps: Deps, agent: Agent, source: Generation) {
  const { tenant, id } = agent;
  const body = await deps.objects.get(source.manifestKey);
  if (!body) return 'its manifest is gone';
  if (sha256Of(body) !== source.manifestSha256) return 'its manifest has another hash';
  const manifest = readManifest(body);
  if (!manifest) return 'its manifest is not one';
  const packs = manifest.packs.map((pack, index) => ({ ...pack, key: copiedObject(tenant, id, packName(index)) }));
  const text = JSON.stringify({ ...manifest, generation: 1, parent: null, packs });
  const manifestKey = copiedObject(tenant, id, 'manifest.json');
  await deps.objects.put(manifestKey, text, 'application/json');
  const generation: Generation = {
    number: 1,
    parent: null,
    manifestKey,
    manifestSha256: sha256Of(text),
    bytes: source.bytes,
    files: source.files,
    packs: packs.map((pack) => pack.key),
    runtimeId: source.runtimeId,
    createdMs: deps.now(),
  };
  await deps.generations.put(tenant, id, generation);
  return pointerTo(generation);
}

function sha256Of(body: string | Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}
