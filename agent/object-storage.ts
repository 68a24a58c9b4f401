import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { sdkCredentials } from './bell.ts';
import type { BrokeredCredentials } from './protocol.ts';

/** The bucket as the workspace uses it. */
export interface ObjectStorage {
  get(key: string, signal?: AbortSignal): Promise<Readable>;
  /** Stores a stream of unknown length; in parts, where it is more than one. */
  put(key: string, body: AsyncIterable<Buffer>, signal?: AbortSignal): Promise<void>;
}

export interface S3StorageOptions {
  bucket: string;
  region: string;
  endpointUrl: string | undefined;
  credentials: () => BrokeredCredentials;
}

/** S3 wants at least 5 MiB a part and takes at most 10,000: this allows 80 GB. */
const partBytes = 8 * 1024 * 1024;
/** Parts under way at once; with the one that fills up, 32 MiB of memory. */
const partsAtOnce = 3;

/**
 * S3 with the runtime's own credentials. They may not abort a multipart upload: what a broken save leaves is removed
 * by the bucket's lifecycle rule for incomplete uploads.
 */
export async function makeS3Storage(options: S3StorageOptions): Promise<ObjectStorage> {
  // Loaded here so that agents without a workspace start without it.
  const s3 = await import('@aws-sdk/client-s3');
  const { bucket: Bucket, endpointUrl } = options;
  const client = new s3.S3Client({
    region: options.region,
    ...(endpointUrl ? { endpoint: endpointUrl, forcePathStyle: true } : {}),
    credentials: async () => sdkCredentials(options.credentials()),
    maxAttempts: 5,
    // What is written has its SHA-256 with it, and what is read is compared with the manifest's.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });

  async function putParts(Key: string, parts: AsyncIterator<Buffer>, first: Buffer[], abortSignal?: AbortSignal) {
    const sending = { abortSignal };
    const { UploadId } = await client.send(
      new s3.CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm: 'SHA256' }),
      sending,
    );
    const done: { PartNumber: number; ETag: string | undefined; ChecksumSHA256: string }[] = [];
    const underWay = new Set<Promise<void>>();
    let PartNumber = 0;
    async function sendPart(number: number, Body: Buffer): Promise<void> {
      const ChecksumSHA256 = checksumOf(Body);
      const { ETag } = await client.send(
        new s3.UploadPartCommand({ Bucket, Key, UploadId, PartNumber: number, Body, ChecksumSHA256 }),
        sending,
      );
      done.push({ PartNumber: number, ETag, ChecksumSHA256 });
    }
    async function start(body: Buffer): Promise<void> {
      const part = sendPart(++PartNumber, body).finally(() => underWay.delete(part));
      // Awaited below; a failure of one while another is awaited must not count as unhandled.
      part.catch(() => {});
      underWay.add(part);
      if (underWay.size >= partsAtOnce) await Promise.race(underWay);
    }
    for (const body of first) await start(body);
    for (let next = await parts.next(); !next.done; next = await parts.next()) await start(next.value);
    await Promise.all(underWay);
    if (done.length !== PartNumber)
      throw new Error(`Only ${done.length} of ${PartNumber} parts of ${Key} were stored.`);
    done.sort((a, b) => a.PartNumber - b.PartNumber);
    await client.send(
      new s3.CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts: done } }),
      sending,
    );
  }

  return {
    async get(Key, abortSignal) {
      const { Body } = await client.send(new s3.GetObjectCommand({ Bucket, Key }), { abortSignal });
      return Body as Readable;
    },
    async put(Key, body, abortSignal) {
      const parts = inParts(body);
      const first = await parts.next();
      const second = first.done ? first : await parts.next();
      if (second.done) {
        const Body = first.done ? Buffer.alloc(0) : first.value;
        const ChecksumSHA256 = checksumOf(Body);
        await client.send(new s3.PutObjectCommand({ Bucket, Key, Body, ChecksumSHA256 }), { abortSignal });
      } else {
        await putParts(Key, parts, [first.value as Buffer, second.value], abortSignal);
      }
    },
  };
}

/** S3 refuses what arrives as something else, so what it has taken is what was sent. */
function checksumOf(body: Buffer): string {
  return createHash('sha256').update(body).digest('base64');
}

async function* inParts(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes < partBytes) continue;
    yield Buffer.concat(pieces);
    pieces = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(pieces);
}
