import { createHash } from 'node:crypto';
import { saveWorkspace } from '../domain/agent-workspace.ts';
import { fenceLost, RouseError } from '../domain/errors.ts';
import { agentObjects, outputObject, runtimeObjects } from '../domain/object-key.ts';
import { enrolledAgent, type RuntimeIdentity } from './claim.ts';
import { type Cause, commitAgent, retried } from './commit.ts';
import type { Deps } from './deps.ts';
import { type Grip, heldTask } from './finish-task.ts';
import { Conflict, type LogLine } from './ports.ts';
import { pruneGenerations } from './prune-generations.ts';

/** What a shim reports while an attempt runs: that it lives, what it prints, what it has saved. */

export async function heartbeat(
  deps: Deps,
  me: RuntimeIdentity,
  grip: Grip,
  progress: unknown,
): Promise<{ cancel: boolean; leaseUntilMs: number }> {
  const held = await heldTask(deps, me, grip);
  const leaseUntilMs = deps.now() + held.leaseSeconds * 1000;
  try {
    const live = await deps.tasks.extendLease(held, leaseUntilMs);
    if (progress !== undefined) await deps.tasks.setProgress(me.tenant, grip.taskId, progress);
    return { cancel: live.status === 'cancelling', leaseUntilMs };
  } catch (error) {
    if (error instanceof Conflict) throw fenceLost(grip.taskId, grip.fence);
    throw error;
  }
}

export async function reportLines(
  deps: Deps,
  me: RuntimeIdentity,
  grip: Grip,
  lines: LogLine[],
  progress: unknown,
): Promise<number> {
  await heldTask(deps, me, grip);
  if (lines.length > 0) await deps.taskLogs.append(me.tenant, me.agentId, grip.taskId, lines, deps.now());
  if (progress !== undefined) await deps.tasks.setProgress(me.tenant, grip.taskId, progress);
  return lines.length;
}

/** Where the shim may put an output that is too large for an answer. */
export async function outputTarget(deps: Deps, me: RuntimeIdentity, grip: Grip): Promise<{ key: string; url: string }> {
  await heldTask(deps, me, grip);
  const key = outputObject(me.tenant, grip.taskId, grip.fence);
  return { key, url: await deps.objects.presignPut(key, 900) };
}

export interface SavedGeneration {
  generation: number;
  parent: number | null;
  manifestKey: string;
  manifestSha256: string;
  bytes: number;
  files: number;
}

/** Moves the agent's pointer to a new generation, once its manifest and all that it names are seen to be there. */
export async function commitGeneration(
  deps: Deps,
  me: RuntimeIdentity,
  saved: SavedGeneration,
  by: Cause,
): Promise<void> {
  const agent = await enrolledAgent(deps, me);
  const current = agent.workspace;
  if (current?.manifestSha256 === saved.manifestSha256 && current.generation === saved.generation) return;
  refuseGap(current?.generation ?? null, saved);
  const packs = await verify(deps, me, saved);
  const { generation: number, ...rest } = saved;
  await deps.generations.put(me.tenant, me.agentId, {
    ...rest,
    number,
    packs,
    runtimeId: me.id,
    createdMs: deps.now(),
  });
  const after = await retried(async () => {
    const now = await enrolledAgent(deps, me);
    refuseGap(now.workspace?.generation ?? null, saved);
    const { parent: _parent, ...workspace } = saved;
    return commitAgent(deps, now, saveWorkspace(now, workspace, deps.now()), by);
  });
  await pruneGenerations(deps, after);
}

function refuseGap(current: number | null, saved: SavedGeneration): void {
  if (saved.parent === current && saved.generation > (current ?? 0)) return;
  const detail = `Received generation ${saved.generation} with parent ${saved.parent}; the current one is ${current}.`;
  throw new RouseError('generation_conflict', detail);
}

/** A manifest of a hundred thousand files has about 20 MB, and a shim repacks after 20 packs. */
const limits = { manifestBytes: 64 * 1024 * 1024, packs: 100 };

interface Manifest {
  packs: { key: string; bytes: number }[];
}

/** @returns the keys of its packs */
async function verify(deps: Deps, me: RuntimeIdentity, saved: SavedGeneration): Promise<string[]> {
  const refuse = (why: string) =>
    new RouseError('workspace_unverified', `Generation ${saved.generation} is not taken: ${why}.`);
  const own = agentObjects(me.tenant, me.agentId);
  const written = runtimeObjects(me.tenant, me.agentId, me.id);
  if (!saved.manifestKey.startsWith(written)) throw refuse(`its manifest is not under ${written}`);
  const { bytes = 0 } = (await deps.objects.head(saved.manifestKey)) ?? {};
  if (bytes > limits.manifestBytes) throw refuse(`its manifest has more than ${limits.manifestBytes} bytes`);
  const body = await deps.objects.get(saved.manifestKey);
  if (!body) throw refuse('its manifest is not in the bucket');
  if (createHash('sha256').update(body).digest('hex') !== saved.manifestSha256)
    throw refuse('its manifest has another hash');
  const manifest = readManifest(body);
  if (!manifest) throw refuse('its manifest is not one');
  if (manifest.packs.length > limits.packs) throw refuse(`it has more than ${limits.packs} packs`);
  for (const pack of manifest.packs) {
    if (!pack.key.startsWith(own)) throw refuse(`the pack ${pack.key} is not the agent's`);
    const object = await deps.objects.head(pack.key);
    if (object?.bytes !== pack.bytes)
      throw refuse(`the pack ${pack.key} has ${object?.bytes ?? 'no'} bytes instead of ${pack.bytes}`);
  }
  return manifest.packs.map((pack) => pack.key);
}

function readManifest(body: Uint8Array): Manifest | undefined {
  try {
    const parsed = JSON.parse(Buffer.from(body).toString()) as Manifest;
    const sound =
      Array.isArray(parsed.packs) &&
      parsed.packs.every((pack) => typeof pack.key === 'string' && Number.isInteger(pack.bytes));
    return sound ? parsed : undefined;
  } catch {
    return undefined;
  }
}
