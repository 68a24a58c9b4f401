import { randomUUID } from 'node:crypto';
import { appendFile, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the bytes of an object are. */
export type BodyReference = { inline: string } | { file: string } | { memory: string };

const inlineBytes = 65_536;

/** The bytes of objects: with a folder up to 64 KB beside their metadata, else in files; without a folder in memory. */
export class Bodies {
  private readonly folder: string | undefined;
  private readonly memory = new Map<string, Uint8Array>();

  constructor(folder: string | undefined) {
    this.folder = folder && join(folder, 'objects');
  }

  async put(bytes: Uint8Array): Promise<BodyReference> {
    const id = randomUUID();
    if (!this.folder) {
      this.memory.set(id, bytes);
      return { memory: id };
    }
    if (bytes.length <= inlineBytes) return { inline: Buffer.from(bytes).toString('base64') };
    await mkdir(this.folder, { recursive: true });
    await writeFile(join(this.folder, id), bytes);
    return { file: id };
  }

  /** A new body that consists of others. */
  async concat(references: BodyReference[], sizes: number[]): Promise<BodyReference> {
    const read = (index: number) => this.read(references[index]!, 0, sizes[index]!);
    if (!this.folder || sizes.reduce((sum, size) => sum + size, 0) <= inlineBytes) {
      return this.put(Buffer.concat(await Promise.all(references.map((_, index) => read(index)))));
    }
    await mkdir(this.folder, { recursive: true });
    const id = randomUUID();
    for (let index = 0; index < references.length; index++) await appendFile(join(this.folder, id), await read(index));
    return { file: id };
  }

  /** The bytes from `start` up to and without `end`. */
  async read(reference: BodyReference, start: number, end: number): Promise<Uint8Array> {
    if ('inline' in reference) return Buffer.from(reference.inline, 'base64').subarray(start, end);
    if ('memory' in reference) return this.memory.get(reference.memory)!.subarray(start, end);
    const file = await open(join(this.folder!, reference.file), 'r');
    try {
      const bytes = Buffer.alloc(end - start);
      await file.read(bytes, 0, bytes.length, start);
      return bytes;
    } finally {
      await file.close();
    }
  }

  async remove(reference: BodyReference): Promise<void> {
    if ('memory' in reference) this.memory.delete(reference.memory);
    if ('file' in reference) await rm(join(this.folder!, reference.file), { force: true });
  }
}
