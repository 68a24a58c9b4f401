/**
 * Ids are a prefix and a ULID: 48 bits of time and 80 of chance in Crockford's base 32, so that they sort by creation.
 * The last eight characters of an agent's ULID are its code, and everything that belongs to the agent ends with the
 * same eight: an id alone names the partition that holds it, and no look-up by id needs an index.
 */

export const idPrefixes = {
  agent: 'agt',
  task: 'tsk',
  runtime: 'rt',
  run: 'run',
  message: 'msg',
  event: 'evt',
  key: 'key',
  upload: 'upl',
} as const;

export type IdKind = keyof typeof idPrefixes;

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const codeLength = 8;
const maxTimeMs = 2 ** 48 - 1;

/** Gives `length` random bytes. */
export type RandomBytes = (length: number) => Uint8Array;

function encodeTime(timeMs: number): string {
  let rest = Math.min(Math.max(0, Math.floor(timeMs)), maxTimeMs);
  let text = '';
  for (let i = 0; i < 10; i++) {
    text = alphabet[rest % 32] + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

function encodeRandom(length: number, random: RandomBytes): string {
  let text = '';
  for (const byte of random(length)) text += alphabet[byte % 32];
  return text;
}

/** A new ULID. */
export function newUlid(timeMs: number, random: RandomBytes): string {
  return encodeTime(timeMs) + encodeRandom(16, random);
}

/** The id that a ULID makes. With `agentId`, the id of something of that agent: it ends with the agent's code. */
export function idOf(kind: IdKind, ulid: string, agentId?: string): string {
  const own = agentId === undefined ? ulid : ulid.slice(0, -codeLength) + codeOf(agentId);
  return `${idPrefixes[kind]}_${own}`;
}

/** A new id; see {@link idOf}. For `agentId` the code alone will do. */
export function newId(kind: IdKind, timeMs: number, random: RandomBytes, agentId?: string): string {
  return idOf(kind, newUlid(timeMs, random), agentId);
}

/** The eight characters that an agent shares with all that is its own. */
export function codeOf(id: string): string {
  return id.slice(-codeLength);
}

/** The code of something that has a name instead of an id. Two may have the same, and then share a partition, no more. */
export function codeOfName(name: string): string {
  let code = '';
  for (let i = 0; i < codeLength; i++) code += alphabet[shardOf(`${i}/${name}`, alphabet.length)];
  return code;
}

/** Whether `id` could be the id of such a thing; one that can't exist is answered like one that doesn't. */
export function isId(kind: IdKind, id: string): boolean {
  return new RegExp(`^${idPrefixes[kind]}_[0-7][${alphabet}]{25}$`).test(id);
}

/** Milliseconds since the epoch at which an id was made. */
export function timeOf(id: string): number {
  let timeMs = 0;
  for (const character of id.slice(id.indexOf('_') + 1).slice(0, 10))
    timeMs = timeMs * 32 + alphabet.indexOf(character);
  return timeMs;
}

/** A shard in 0…count−1 that an id always falls into. */
export function shardOf(id: string, count: number): number {
  let hash = 2166136261;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 16777619) >>> 0;
  return hash % count;
}
