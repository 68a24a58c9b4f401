import { readFileSync } from 'node:fs';

/** Whom a driver's processes run as. */
export interface DriverUser {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

/**
 * Finds the user in /etc/passwd by name, `uid` or `uid:gid`. Null, which means "as the shim itself", where the shim is
 * not root (it could not change) or the image has no such user.
 */
export function findUser(wanted: string | null, passwdFile = '/etc/passwd'): DriverUser | null {
  if (!wanted || process.getuid?.() !== 0) return null;
  const [first = '', second] = wanted.split(':');
  for (const line of readPasswd(passwdFile)) {
    const [name = '', , uid, gid, , home] = line.split(':');
    if (name !== first && uid !== first) continue;
    return { name, uid: Number(uid), gid: Number(second ?? gid), home: home || '/' };
  }
  if (!/^\d+$/.test(first)) return null;
  return { name: first, uid: Number(first), gid: Number(second ?? first), home: '/' };
}

function readPasswd(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}
