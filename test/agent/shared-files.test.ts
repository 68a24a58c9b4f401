import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { pack as makeTar } from 'tar-stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { packFiles, unpackAll } from '../../agent/shared-files.ts';
import { FakeClock } from './support/fake-clock.ts';

let from: string;
let to: string;

beforeEach(() => {
  from = mkdtempSync(join(tmpdir(), 'rouse-from-'));
  to = mkdtempSync(join(tmpdir(), 'rouse-to-'));
});

afterEach(() => {
  for (const folder of [from, to]) rmSync(folder, { recursive: true, force: true });
});

const put = (root: string, path: string, text: string) => {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), text);
};

async function packed(...patterns: string[]): Promise<Buffer> {
  const pack = await packFiles(from, patterns);
  if ('failure' in pack) throw new Error(pack.failure.message);
  return pack;
}

function unpack(pack: Buffer, folder: string | null = null) {
  const fetch = async () => new Response(new Uint8Array(pack));
  const deps = {
    fetch: fetch as typeof globalThis.fetch,
    clock: new FakeClock(),
    signal: new AbortController().signal,
  };
  return unpackAll([{ step: 'write', url: 'https://s3/pack', folder }], to, null, deps);
}

test('files that match come into the other workspace under the same names', async () => {
  put(from, 'report.md', 'hello');
  put(from, 'deep/er/notes.md', 'notes');
  put(from, 'secret.txt', 'no');
  expect(await unpack(await packed('*.md', '**/*.md'))).toBeUndefined();
  expect(readFileSync(join(to, 'report.md'), 'utf8')).toBe('hello');
  expect(readFileSync(join(to, 'deep/er/notes.md'), 'utf8')).toBe('notes');
  expect(readdirSync(to).sort()).toEqual(['deep', 'report.md']);
});

test('the files of an item come into its folder', async () => {
  put(from, 'report.md', 'third');
  expect(await unpack(await packed('*.md'), 'write/2')).toBeUndefined();
  expect(readFileSync(join(to, 'write/2/report.md'), 'utf8')).toBe('third');
});

test('what is there already is replaced, and a link is not followed', async () => {
  put(from, 'report.md', 'new');
  put(from, 'outside.md', 'untouched');
  symlinkSync(join(from, 'outside.md'), join(to, 'report.md'));
  expect(await unpack(await packed('report.md'))).toBeUndefined();
  expect(readFileSync(join(to, 'report.md'), 'utf8')).toBe('new');
  expect(readFileSync(join(from, 'outside.md'), 'utf8')).toBe('untouched');
});

test('a folder that links out of the workspace takes no file', async () => {
  put(from, 'deep/report.md', 'new');
  const elsewhere = mkdtempSync(join(tmpdir(), 'rouse-else-'));
  symlinkSync(elsewhere, join(to, 'deep'));
  const result = await unpack(await packed('deep/*.md'));
  expect(result?.failure).toMatchObject({ code: 'input_unavailable' });
  expect(readdirSync(elsewhere)).toEqual([]);
  rmSync(elsewhere, { recursive: true });
});

test('a pack that names a file outside is refused', async () => {
  const tar = makeTar();
  tar.entry({ name: '../escaped.md' }, 'x');
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar as unknown as AsyncIterable<Buffer>) chunks.push(chunk);
  const result = await unpack(zstdCompressSync(Buffer.concat(chunks)));
  expect(result?.failure.message).toContain('../escaped.md');
});

test('a pack without files brings none', async () => {
  expect(await unpack(await packed('*.md'))).toBeUndefined();
  expect(readdirSync(to)).toEqual([]);
});
