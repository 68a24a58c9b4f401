import type { Readable } from 'node:stream';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { Objects, Page } from '../app/ports.ts';

export class Bucket implements Objects {
  private readonly client: S3Client;
  private readonly name: string;

  constructor(client: S3Client, name: string) {
    this.client = client;
    this.name = name;
  }

  async put(key: string, body: string, contentType: string): Promise<void> {
    await this.client.send(new PutObjectCommand({ Bucket: this.name, Key: key, Body: body, ContentType: contentType }));
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.orMissing(async () => {
      const answer = await this.client.send(new GetObjectCommand({ Bucket: this.name, Key: key }));
      return answer.Body?.transformToByteArray();
    });
  }

  async read(key: string): Promise<{ text: string; contentType: string } | undefined> {
    return this.orMissing(async () => {
      const answer = await this.client.send(new GetObjectCommand({ Bucket: this.name, Key: key }));
      return { text: (await answer.Body?.transformToString()) ?? '', contentType: answer.ContentType ?? '' };
    });
  }

  /** The content as it comes; undefined when nothing is there. */
  async stream(key: string): Promise<Readable | undefined> {
    return this.orMissing(async () => {
      const answer = await this.client.send(new GetObjectCommand({ Bucket: this.name, Key: key }));
      return answer.Body as Readable | undefined;
    });
  }

  async head(key: string): Promise<{ bytes: number } | undefined> {
    return this.orMissing(async () => {
      const answer = await this.client.send(new HeadObjectCommand({ Bucket: this.name, Key: key }));
      return { bytes: answer.ContentLength ?? 0 };
    });
  }

  presignGet(key: string, expiresInSeconds: number): Promise<string> {
    return getSignedUrl(this.client, new GetObjectCommand({ Bucket: this.name, Key: key }), {
      expiresIn: expiresInSeconds,
    });
  }

  presignPut(key: string, expiresInSeconds: number): Promise<string> {
    return getSignedUrl(this.client, new PutObjectCommand({ Bucket: this.name, Key: key }), {
      expiresIn: expiresInSeconds,
    });
  }

  async copy(from: string, to: string): Promise<void> {
    await this.client.send(new CopyObjectCommand({ Bucket: this.name, Key: to, CopySource: this.source(from) }));
  }

  async startParts(to: string): Promise<string> {
    const answer = await this.client.send(new CreateMultipartUploadCommand({ Bucket: this.name, Key: to }));
    if (!answer.UploadId) throw new Error(`S3 began an upload of ${to} without an id.`);
    return answer.UploadId;
  }

  async copyPart(
    from: string,
    to: string,
    uploadId: string,
    number: number,
    { start, end }: { start: number; end: number },
  ): Promise<string> {
    const answer = await this.client.send(
      new UploadPartCopyCommand({
        Bucket: this.name,
        Key: to,
        UploadId: uploadId,
        PartNumber: number,
        CopySource: this.source(from),
        CopySourceRange: `bytes=${start}-${end - 1}`,
      }),
    );
    const etag = answer.CopyPartResult?.ETag;
    if (!etag) throw new Error(`S3 copied part ${number} of ${to} without an ETag.`);
    return etag;
  }

  async finishParts(to: string, uploadId: string, etags: string[], bytes: number): Promise<boolean> {
    const Parts = etags.map((ETag, index) => ({ ETag, PartNumber: index + 1 }));
    try {
      await this.client.send(
        new CompleteMultipartUploadCommand({
          Bucket: this.name,
          Key: to,
          UploadId: uploadId,
          MultipartUpload: { Parts },
        }),
      );
      return true;
    } catch (error) {
      if (!(error instanceof S3ServiceException && error.name === 'NoSuchUpload')) throw error;
      // Completed before, and the answer was lost; or aborted.
      return (await this.head(to))?.bytes === bytes;
    }
  }

  private source(key: string): string {
    return `${this.name}/${key.split('/').map(encodeURIComponent).join('/')}`;
  }

  async *list(prefix: string): AsyncIterable<string[]> {
    let token: string | undefined;
    do {
      const answer = await this.client.send(
        new ListObjectsV2Command({ Bucket: this.name, Prefix: prefix, ContinuationToken: token }),
      );
      yield (answer.Contents ?? []).flatMap((object) => object.Key ?? []);
      token = answer.NextContinuationToken;
    } while (token);
  }

  async page(prefix: string, after: string | undefined): Promise<Page<{ key: string; changedMs: number }>> {
    const answer = await this.client.send(
      new ListObjectsV2Command({ Bucket: this.name, Prefix: prefix, StartAfter: after }),
    );
    const items = (answer.Contents ?? []).flatMap(({ Key: key, LastModified }) =>
      key === undefined || LastModified === undefined ? [] : [{ key, changedMs: LastModified.getTime() }],
    );
    return { items, next: answer.IsTruncated ? answer.Contents?.at(-1)?.Key : undefined };
  }

  async delete(keys: string[]): Promise<void> {
    // A page of a listing is what one call deletes: 1,000 keys.
    if (keys.length === 0) return;
    const answer = await this.client.send(
      new DeleteObjectsCommand({ Bucket: this.name, Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true } }),
    );
    const [failed] = answer.Errors ?? [];
    if (failed)
      throw new Error(`S3 kept ${answer.Errors?.length} of ${keys.length} objects: ${failed.Code} ${failed.Message}`);
  }

  private async orMissing<T>(read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      // Without the right to list the bucket, S3 says 403 of a key that is not there; our grants cover every key we ask for.
      const missing = error instanceof NoSuchKey || error instanceof NotFound || status(error) === 403;
      if (missing) return undefined;
      throw error;
    }
  }
}

function status(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}
