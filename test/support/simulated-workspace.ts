import { createHash } from 'node:crypto';
import { GetObjectCommand, PutObjectCommand, S3Client, type S3ServiceException } from '@aws-sdk/client-s3';
import type { DamageAnswer, EnrollAnswer } from '../../lib/http/schemas/runtime.ts';
import type { EmbeddedAws } from '../../local/embedded-aws.ts';

type Pointer = NonNullable<EnrollAnswer['workspace']>;

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** A manifest with one file in each pack; both have the same name, which is also the content. */
function manifestOf(generation: number, parent: number | null, names: string[], keyOf: (name: string) => string) {
  const content = (name: string) => ({ bytes: name.length, sha256: sha256(name) });
  return {
    version: 1,
    generation,
    parent,
    files: names.map((name, pack) => ({ path: name, mode: 0o644, mtimeMs: 0, pack, ...content(name) })),
    symlinks: [],
    dirs: [],
    packs: names.map((name) => ({ key: keyOf(name), files: 1, contentBytes: name.length, ...content(name) })),
    totals: { files: names.length, bytes: names.join('').length },
  };
}

export interface SimulatedWorkspaceOptions {
  enrolment(): EnrollAnswer;
  aws: EmbeddedAws;
  /** Calls the runtime API. */
  post<T>(route: string, body: unknown): Promise<T>;
}

/** A simulated shim's workspace: names of files, which are their contents too, saved and restored through the bucket. */
export class SimulatedWorkspace {
  files: string[] = [];
  private pointer: Pointer | null = null;
  private saving: Promise<unknown> = Promise.resolve();
  /** The numbers under which it has saved. */
  private readonly tried: number[] = [];
  private readonly options: SimulatedWorkspaceOptions;

  constructor(options: SimulatedWorkspaceOptions) {
    this.options = options;
  }

  /**
   * Saves a generation of one file in each pack of these names; new ones are uploaded. As in the real shim, one save
   * ends before the next begins.
   *
   * @returns its number
   */
  save(packs: string[]): Promise<number> {
    const saved = this.saving.then(() => this.saveNow(packs));
    this.saving = saved.catch(() => {});
    return saved;
  }

  private async saveNow(packs: string[]): Promise<number> {
    const { storage } = this.options.enrolment();
    const s3 = this.s3();
    const put = (Key: string, Body: string) => s3.send(new PutObjectCommand({ Bucket: storage.bucket, Key, Body }));
    const keyOf = (name: string) => `${storage.writePrefix}packs/${name}`;
    for (const name of packs) await put(keyOf(name), name);
    const generation = (this.pointer?.lastGeneration ?? 0) + 1;
    const parent = this.pointer?.generation ?? null;
    const manifest = manifestOf(generation, parent, packs, keyOf);
    const body = JSON.stringify(manifest);
    // Never the key of one whose report had no answer: it may count.
    const folder = `${generation}${'+'.repeat(this.tried.filter((number) => number === generation).length)}`;
    this.tried.push(generation);
    const manifestKey = `${storage.writePrefix}generations/${folder}/manifest.json`;
    await put(manifestKey, body);
    const manifestSha256 = sha256(body);
    await this.options.post('workspace', { generation, parent, manifestKey, manifestSha256, ...manifest.totals });
    this.pointer = { generation, manifestKey, manifestSha256, lastGeneration: generation };
    this.files = packs;
    return generation;
  }

  /** Looks whether all of the generation is there, as the real one does. @returns what is wrong if nothing is good */
  async restore(): Promise<string | undefined> {
    this.pointer = this.options.enrolment().workspace;
    while (this.pointer) {
      const damage = await this.damageOf(this.pointer);
      if (!damage) return undefined;
      const report = { generation: this.pointer.generation, ...damage };
      const answer = await this.options.post<DamageAnswer>('workspace/damaged', report);
      if (!answer.workspace) return damage.detail;
      this.pointer = answer.workspace;
    }
    return undefined;
  }

  private async damageOf(pointer: Pointer): Promise<{ missing: boolean; detail: string } | undefined> {
    const body = await this.read(pointer.manifestKey);
    if (body === undefined) return { missing: true, detail: `${pointer.manifestKey} is not there` };
    if (sha256(body) !== pointer.manifestSha256) return { missing: false, detail: 'the manifest has another hash' };
    const manifest = JSON.parse(body) as ReturnType<typeof manifestOf>;
    for (const pack of manifest.packs) {
      const content = await this.read(pack.key);
      if (content === undefined) return { missing: true, detail: `${pack.key} is not there` };
      if (sha256(content) !== pack.sha256) return { missing: false, detail: `${pack.key} has another hash` };
    }
    this.files = manifest.files.map(({ path }) => path);
    return undefined;
  }

  private async read(Key: string): Promise<string | undefined> {
    try {
      const answer = await this.s3().send(
        new GetObjectCommand({ Bucket: this.options.enrolment().storage.bucket, Key }),
      );
      return await answer.Body?.transformToString();
    } catch (error) {
      // Who may not list is told 403 of what is not there.
      if ([403, 404].includes((error as S3ServiceException).$metadata?.httpStatusCode ?? 0)) return undefined;
      throw error;
    }
  }

  private s3(): S3Client {
    const { accessKeyId, secretAccessKey, sessionToken } = this.options.enrolment().credentials;
    return new S3Client({
      region: this.options.aws.region,
      credentials: { accessKeyId, secretAccessKey, sessionToken },
      requestHandler: this.options.aws.requestHandler(),
      forcePathStyle: true,
    });
  }
}
