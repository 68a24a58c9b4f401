import { createHash } from 'node:crypto';
import type { Workspace } from '../domain/agent.ts';
import { RouseError } from '../domain/errors.ts';
import { agentObjects, runtimeObjects } from '../domain/object-key.ts';
import type { RuntimeIdentity } from './claim.ts';
import type { Deps } from './deps.ts';

/** What a shim says that it has saved. */
export interface SavedGeneration {
  generation: number;
  parent: number | null;
  manifestKey: string;
  manifestSha256: string;
  bytes: number;
  files: number;
}

/** What is read of a manifest; all of it is in agent/workspace/manifest.ts. */
export interface Manifest {
  generation: number;
  parent: number | null;
  files: { path: string; bytes: number; mode: number; mtimeMs: number; sha256: string; pack: number }[];
  symlinks: { path: string; target: string }[];
  packs: { key: string; bytes: number; sha256: string }[];
}

/** A manifest of a hundred thousand files has about 20 MB, and a shim repacks after 20 packs. */
const limits = { manifestBytes: 64 * 1024 * 1024, packs: 100 };

/**
 * A generation counts only if all of it is there: its manifest by its hash, its packs by their sizes (S3 has checked
 * their hashes as they came), its files by their number and size.
 *
 * @returns the keys of its packs
 * @throws RouseError workspace_unverified
 */
export async function verifyGeneration(deps: Deps, me: RuntimeIdentity, saved: SavedGeneration): Promise<string[]> {
  const refuse = (why: string) =>
    new RouseError('workspace_unverified', `Generation ${saved.generation} is not taken: ${why}.`);
  const own = agentObjects(me.tenant, me.agentId);
  const written = runtimeObjects(me.tenant, me.agentId, me.id);
  if (!saved.manifestKey.startsWith(written)) throw refuse(`its manifest is not under ${written}`);
  const { manifest, fault } = await inspectGeneration(deps, saved, own);
  if (!manifest) throw refuse(fault);
  const mismatch = differenceOf(manifest, saved);
  if (mismatch) throw refuse(mismatch);
  return manifest.packs.map((pack) => pack.key);
}

function differenceOf(manifest: Manifest, saved: SavedGeneration): string | undefined {
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  const pairs: [string, number | null, number | null][] = [
    ['number', manifest.generation, saved.generation],
    ['parent', manifest.parent, saved.parent],
    ['number of files', manifest.files.length, saved.files],
    ['number of bytes', bytes, saved.bytes],
  ];
  const wrong = pairs.find(([, written, said]) => written !== said);
  if (wrong) return `its manifest has the ${wrong[0]} ${wrong[1]}, and ${wrong[2]} was said`;
  const lost = manifest.files.find(({ pack }) => manifest.packs[pack] === undefined);
  return lost && `its file ${lost.path} is in no pack`;
}

/** Reads a manifest and looks for what it names. `prefix`: where its packs have to be. */
export async function inspectGeneration(
  deps: Deps,
  { manifestKey, manifestSha256 }: Pick<Workspace, 'manifestKey' | 'manifestSha256'>,
  prefix = '',
): Promise<{ manifest: Manifest; fault?: undefined } | { manifest?: undefined; fault: string }> {
  const { bytes } = (await deps.objects.head(manifestKey)) ?? {};
  if (bytes === undefined) return { fault: 'its manifest is not in the bucket' };
  if (bytes > limits.manifestBytes) return { fault: `its manifest has more than ${limits.manifestBytes} bytes` };
  const body = await deps.objects.get(manifestKey);
  if (!body) return { fault: 'its manifest is not in the bucket' };
  if (createHash('sha256').update(body).digest('hex') !== manifestSha256)
    return { fault: 'its manifest has another hash' };
  const manifest = readManifest(body);
  if (!manifest) return { fault: 'its manifest is not one' };
  if (manifest.packs.length > limits.packs) return { fault: `it has more than ${limits.packs} packs` };
  for (const pack of manifest.packs) {
    if (!pack.key.startsWith(prefix)) return { fault: `the pack ${pack.key} is not the agent's` };
    const object = await deps.objects.head(pack.key);
    if (object?.bytes !== pack.bytes)
      return { fault: `the pack ${pack.key} has ${object?.bytes ?? 'no'} bytes instead of ${pack.bytes}` };
  }
  return { manifest };
}

export function readManifest(body: Uint8Array): Manifest | undefined {
  try {
    const parsed = JSON.parse(Buffer.from(body).toString()) as Manifest;
    const sound =
      Array.isArray(parsed.packs) &&
      Array.isArray(parsed.files) &&
      parsed.packs.every((pack) => typeof pack.key === 'string' && Number.isInteger(pack.bytes)) &&
      parsed.files.every((file) => typeof file.path === 'string' && Number.isInteger(file.bytes));
    return sound ? parsed : undefined;
  } catch {
    return undefined;
  }
}
