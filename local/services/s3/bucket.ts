import type { StoredMap } from '../../store.ts';
import type { BodyReference } from './bodies.ts';
import type { Checksum } from './payload.ts';

export interface StoredBucket {
  name: string;
  createdMs: number;
  /** Lifecycle, versioning, encryption and so on, as the deployer gave them. They have no effect. */
  attributes: Record<string, unknown>;
}

export interface StoredObject {
  key: string;
  body: BodyReference;
  size: number;
  /** With quotes. */
  etag: string;
  modifiedMs: number;
  /** `content-type`, `cache-control`, `x-amz-meta-…`: what GET answers besides. */
  headers: Record<string, string>;
  checksum: Checksum | undefined;
}

export interface StoredUpload {
  id: string;
  key: string;
  headers: Record<string, string>;
  algorithm: string | undefined;
  createdMs: number;
  parts: Record<number, StoredPart>;
}

export interface StoredPart {
  body: BodyReference;
  size: number;
  etag: string;
  modifiedMs: number;
  checksum: Checksum | undefined;
}

/** The objects of one bucket, in the order of their keys. */
export class Bucket {
  readonly definition: StoredBucket;
  readonly uploads: StoredMap<StoredUpload>;
  private readonly objects: StoredMap<StoredObject>;
  private readonly sortedKeys: string[];

  constructor(definition: StoredBucket, objects: StoredMap<StoredObject>, uploads: StoredMap<StoredUpload>) {
    this.definition = definition;
    this.objects = objects;
    this.uploads = uploads;
    this.sortedKeys = [...objects.entries()].map(([key]) => key).sort();
  }

  get size(): number {
    return this.objects.size;
  }

  get(key: string): StoredObject | undefined {
    return this.objects.get(key);
  }

  set(object: StoredObject): void {
    if (!this.objects.has(object.key)) this.sortedKeys.splice(this.indexOf(object.key), 0, object.key);
    this.objects.set(object.key, object);
  }

  delete(key: string): void {
    if (!this.objects.has(key)) return;
    this.sortedKeys.splice(this.indexOf(key), 1);
    this.objects.delete(key);
  }

  /** Keys that are equal to `from` or come after it. */
  *keysFrom(from: string): Generator<string> {
    for (let index = this.indexOf(from); index < this.sortedKeys.length; index++) yield this.sortedKeys[index]!;
  }

  private indexOf(key: string): number {
    let low = 0;
    let high = this.sortedKeys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sortedKeys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export interface Listing {
  keys: string[];
  commonPrefixes: string[];
  /** Where the next page begins (inclusive), when there is one. */
  next: string | undefined;
}

/** One page of keys and common prefixes, `max` of both together. @param from the first key to look at */
export function listKeys(bucket: Bucket, prefix: string, delimiter: string, from: string, max: number): Listing {
  const listing: Listing = { keys: [], commonPrefixes: [], next: undefined };
  let at = from > prefix ? from : prefix;
  for (;;) {
    let skipTo: string | undefined;
    for (const key of bucket.keysFrom(at)) {
      if (!key.startsWith(prefix)) return listing;
      if (listing.keys.length + listing.commonPrefixes.length === max)
        return max === 0 ? listing : { ...listing, next: key };
      const cut = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
      if (cut < 0) {
        listing.keys.push(key);
        continue;
      }
      const common = key.slice(0, cut + delimiter.length);
      listing.commonPrefixes.push(common);
      // Nothing that begins with the common prefix is listed again.
      skipTo = after(common);
      break;
    }
    if (skipTo === undefined) return listing;
    at = skipTo;
  }
}

/** The least string that is greater than all strings with this prefix. */
function after(prefix: string): string {
  const last = prefix.length - 1;
  return prefix.slice(0, last) + String.fromCharCode(prefix.charCodeAt(last) + 1);
}
