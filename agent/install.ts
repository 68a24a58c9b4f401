import { chmod, copyFile, cp, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

/** Where the built-in image keeps what other images need; see the Dockerfile. */
const source = '/opt/rouse';

/**
 * Copies Node and the shim to `target`, a volume that an image of the user's mounts at the same path:
 *
 *   bin/node           the entry point; picks a build by what the image has
 *   bin/busybox        a static shell for it, since an image may have none
 *   glibc/node         for images with a glibc that is new enough, and libstdc++
 *   musl/…             for all others, with its own loader and libraries
 *   shim.mjs
 */
export async function install(target: string | undefined, entry: string, from = source): Promise<void> {
  if (!target) throw new Error('install needs the folder to copy to, for example: install /rouse');
  const to = resolve(target);
  await mkdir(join(to, 'bin'), { recursive: true });
  await Promise.all([
    cp(join(from, 'glibc'), join(to, 'glibc'), { recursive: true }),
    cp(join(from, 'musl'), join(to, 'musl'), { recursive: true }),
    copyFile(join(from, 'busybox'), join(to, 'bin/busybox')),
    copyFile(entry, join(to, 'shim.mjs')),
  ]);
  await writeFile(join(to, 'bin/node'), launcher(to));
  await chmod(join(to, 'bin/node'), 0o755);
}

/**
 * musl images are known by their loader. Elsewhere glibc's own loader says, without running anything, whether it can
 * load this Node (`--list` fails for a missing library or a glibc that is too old). What neither fits gets the musl
 * build, which by its own loader and libraries runs on any Linux. Then /proc/self/exe is that loader, so ROUSE_NODE
 * tells the shim what to start as Node.
 */
function launcher(dir: string): string {
  return `#!${dir}/bin/busybox sh
export ROUSE_NODE=${dir}/bin/node
musl=
for loader in /lib/ld-musl-*.so.1; do
  if [ -e "$loader" ]; then musl=yes; fi
done
if [ -z "$musl" ]; then
  for loader in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1; do
    if [ -e "$loader" ] && "$loader" --list ${dir}/glibc/node >/dev/null 2>&1; then
      exec ${dir}/glibc/node "$@"
    fi
  done
fi
exec ${dir}/musl/ld-musl.so.1 --library-path ${dir}/musl ${dir}/musl/node "$@"
`;
}
