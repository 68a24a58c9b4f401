import { createHash } from 'node:crypto';
import { notFound, RouseError, tooLarge } from '../domain/errors.ts';
import { existingAgent } from './commit.ts';
import type { Deps } from './deps.ts';
import { type Manifest, readManifest } from './verify-generation.ts';

/** A Lambda function answers with 6 MB at most, a third of which is lost to base64. */
export const mostFileBytes = 4 * 1024 * 1024;
/** A file is found by reading its pack from the beginning, which has to be done within a request's 29 s. */
export const mostPackBytes = 512 * 1024 * 1024;

export type ListedFile =
  | { path: string; type: 'file'; bytes: number; mode: number; mtimeMs: number; sha256: string }
  | { path: string; type: 'symlink'; target: string };

/** Files and links of a generation in the order of their paths. It never changes, so a position in it is a cursor. */
export async function listFiles(
  deps: Deps,
  tenant: string,
  agentId: string,
  generation: number,
  limit: number,
  from: number,
): Promise<{ items: ListedFile[]; next: number | undefined }> {
  const manifest = await manifestOf(deps, tenant, agentId, generation);
  const all: ListedFile[] = [
    ...manifest.files.map(({ pack: _pack, ...file }) => ({ ...file, type: 'file' as const })),
    ...manifest.symlinks.map((link) => ({ ...link, type: 'symlink' as const })),
  ].sort((a, b) => (a.path < b.path ? -1 : 1));
  const next = from + limit;
  return { items: all.slice(from, next), next: next < all.length ? next : undefined };
}

/** One file as it was saved. */
export async function readFile(
  deps: Deps,
  tenant: string,
  agentId: string,
  generation: number,
  path: string,
): Promise<Uint8Array> {
  const manifest = await manifestOf(deps, tenant, agentId, generation);
  const file = manifest.files.find((other) => other.path === path);
  const link = manifest.symlinks.find((other) => other.path === path);
  if (link)
    throw new RouseError('not_found', `"${path}" is a link to "${link.target}", and has no content of its own.`);
  if (!file) throw notFound(`file in generation ${generation}`, path);
  if (file.bytes > mostFileBytes) throw tooLarge(`The file "${path}"`, file.bytes, mostFileBytes);
  const pack = manifest.packs[file.pack];
  if (pack && pack.bytes > mostPackBytes) throw tooLarge(`The pack that holds "${path}"`, pack.bytes, mostPackBytes);
  const content = pack && (await deps.packs.read(pack.key, path));
  if (!content || createHash('sha256').update(content).digest('hex') !== file.sha256)
    throw new RouseError(
      'not_found',
      `The file "${path}" of generation ${generation} is damaged: its pack does not hold it.`,
    );
  return content;
}

async function manifestOf(deps: Deps, tenant: string, agentId: string, number: number): Promise<Manifest> {
  const agent = await existingAgent(deps, tenant, agentId);
  const row = agent.generations?.includes(number) ? await deps.generations.get(tenant, agentId, number) : undefined;
  if (!row) throw notFound('generation', String(number));
  const body = await deps.objects.get(row.manifestKey);
  const manifest = body && readManifest(body);
  if (!manifest) throw new RouseError('not_found', `Generation ${number} is damaged: its manifest is not there.`);
  return manifest;
}
