import { pipeline } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { extract } from 'tar-stream';
import type { Packs } from '../app/workspace-ports.ts';
import type { Bucket } from './bucket.ts';

/** Packs are tar archives, compressed with zstd (agent/workspace/pack.ts). */
export class PackReader implements Packs {
  private readonly bucket: Bucket;

  constructor(bucket: Bucket) {
    this.bucket = bucket;
  }

  async read(key: string, path: string): Promise<Uint8Array | undefined> {
    const source = await this.bucket.stream(key);
    if (!source) return undefined;
    // Reading ends with the file; what comes after it breaks off, which is no failure.
    const tar = pipeline(source, createZstdDecompress(), extract(), () => {});
    for await (const entry of tar) {
      if (entry.header.name !== path) {
        entry.resume();
        continue;
      }
      const chunks: Uint8Array[] = [];
      for await (const chunk of entry) chunks.push(chunk as Uint8Array);
      return Buffer.concat(chunks);
    }
    return undefined;
  }
}
