import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { install } from '../../agent/install.ts';
import { temporaryFolder } from './support/shim.ts';

function executable(path: string, content: string): void {
  writeFileSync(path, content);
  chmodSync(path, 0o755);
}

/** The layout of the built-in image, with scripts that say which of its programs ran. */
function builtInImage(glibcNode: string): string {
  const from = temporaryFolder();
  for (const folder of ['glibc', 'musl']) mkdirSync(join(from, folder));
  executable(join(from, 'busybox'), '#!/bin/sh\nshift\nexec /bin/sh "$@"\n');
  executable(join(from, 'musl/node'), '');
  executable(join(from, 'musl/ld-musl.so.1'), '#!/bin/sh\necho "musl $ROUSE_NODE $*"\n');
  execFileSync('cp', ['-L', glibcNode, join(from, 'glibc/node')]);
  writeFileSync(join(from, 'shim.mjs'), 'console.log("shim", ...process.argv.slice(2))');
  return from;
}

async function installed(glibcNode: string): Promise<string> {
  const from = builtInImage(glibcNode);
  const target = join(temporaryFolder(), 'volume');
  await install(target, join(from, 'shim.mjs'), from);
  return target;
}

test.runIf(process.platform === 'linux')('an image with a fitting glibc gets the glibc build', async () => {
  const target = await installed(process.execPath);
  const output = execFileSync(join(target, 'bin/node'), [join(target, 'shim.mjs'), 'a b']);
  expect(output.toString()).toBe('shim a b\n');
});

test.runIf(process.platform === 'linux')('any other image gets the musl build with its own loader', async () => {
  // A program that glibc's loader refuses stands for one whose libraries are missing.
  const target = await installed('/etc/passwd');
  const output = execFileSync(join(target, 'bin/node'), [join(target, 'shim.mjs'), 'a']);
  expect(output.toString()).toBe(
    `musl ${target}/bin/node --library-path ${target}/musl ${target}/musl/node ${target}/shim.mjs a\n`,
  );
});

test('a missing folder is asked for', async () => {
  await expect(install(undefined, 'shim.mjs')).rejects.toThrow('install needs the folder to copy to');
});

test('the volume, mounted at /rouse, hides nothing of the built-in image', () => {
  const dockerfile = readFileSync(new URL('../../agent/Dockerfile', import.meta.url), 'utf8');
  const entryPoint = JSON.parse(/^ENTRYPOINT (.+)$/m.exec(dockerfile)?.[1] ?? '[]');
  expect(entryPoint).toEqual(['node', '/opt/rouse/shim.mjs']);
  expect(dockerfile).toContain('\nCOPY shim.mjs /opt/rouse/shim.mjs\n');
  expect(dockerfile).not.toMatch(/^(COPY|RUN|ENTRYPOINT).*[ "]\/rouse\//m);
});
