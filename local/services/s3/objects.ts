import { createHash } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { AwsError } from '../../errors.ts';
import type { WireResponse } from '../../service.ts';
import { childrenOf, parseXml, textOf } from '../../xml.ts';
import type { Bodies } from './bodies.ts';
import { type Bucket, listKeys, type StoredObject } from './bucket.ts';
import { checkWrite, mayRead, parseRange } from './conditions.ts';
import { invalidArgument, malformedXml, noSuchKey, preconditionFailed } from './errors.ts';
import { checksumOf, readPayload } from './payload.ts';
import { answer, etagAndChecksum, objectHeaders, type S3Request, xmlAnswer } from './request.ts';

const maxPutBytes = 5 * 1024 ** 3;

/** Operations on single objects and on lists of them. */
export class Objects {
  private readonly bodies: Bodies;
  private readonly clock: Clock;

  constructor(bodies: Bodies, clock: Clock) {
    this.bodies = bodies;
    this.clock = clock;
  }

  async put(bucket: Bucket, request: S3Request): Promise<WireResponse> {
    const { key } = request;
    validateKey(key);
    const headers = objectHeaders('PutObject', request.headers);
    const { bytes, checksum } = readPayload(request.body, request.headers);
    if (bytes.length > maxPutBytes)
      throw new AwsError('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size', 400);
    checkWrite(key, bucket.get(key), request.headers);
    const body = await this.bodies.put(bytes);
    const etag = `"${createHash('md5').update(bytes).digest('hex')}"`;
    const object = { key, body, size: bytes.length, etag, modifiedMs: this.clock.now(), headers, checksum };
    await this.commit(bucket, object, request.headers);
    return answer(200, etagAndChecksum(object));
  }

  /** Puts the object where another may be by now; its body goes if a condition does not hold. */
  async commit(bucket: Bucket, object: StoredObject, headers: S3Request['headers']): Promise<void> {
    const before = bucket.get(object.key);
    try {
      checkWrite(object.key, before, headers);
    } catch (error) {
      await this.bodies.remove(object.body);
      throw error;
    }
    bucket.set(object);
    if (before) await this.bodies.remove(before.body);
  }

  async get(bucket: Bucket, request: S3Request): Promise<WireResponse> {
    const object = this.find(bucket, request.key);
    if (!mayRead(object, request.headers))
      return answer(304, { etag: object.etag, 'last-modified': httpDate(object.modifiedMs) });
    const range = parseRange(request.headers.range, object.size);
    const { start, end } = range ?? { start: 0, end: object.size };
    const headers = {
      ...readHeaders(object, request, range === undefined),
      ...(range && { 'content-range': `bytes ${start}-${end - 1}/${object.size}` }),
      'content-length': String(end - start),
    };
    const head = request.method === 'HEAD';
    return answer(range ? 206 : 200, headers, head ? '' : await this.bodies.read(object.body, start, end));
  }

  async delete(bucket: Bucket, request: S3Request): Promise<WireResponse> {
    const object = bucket.get(request.key);
    if (request.headers['if-match'] !== undefined) checkWrite(request.key, object, request.headers);
    await this.remove(bucket, request.key);
    return answer(204);
  }

  async deleteMany(bucket: Bucket, request: S3Request): Promise<WireResponse> {
    const { bytes } = readPayload(request.body, request.headers);
    const document = parseXml(Buffer.from(bytes).toString('utf8'));
    const entries = document?.name === 'Delete' ? childrenOf(document, 'Object') : [];
    if (!document || entries.length === 0 || entries.length > 1000) throw malformedXml();
    const keys = entries.map((entry) => textOf(entry, 'Key') ?? '');
    for (const key of keys) await this.remove(bucket, key);
    const quiet = textOf(document, 'Quiet') === 'true';
    return xmlAnswer('DeleteResult', { Deleted: quiet ? [] : keys.map((Key) => ({ Key })) });
  }

  async copy(bucket: Bucket, request: S3Request, bucketOf: (name: string) => Bucket): Promise<WireResponse> {
    validateKey(request.key);
    const { source, sourceBucket, sourceKey } = this.sourceOf(request, bucketOf);
    const replace = request.headers['x-amz-metadata-directive'] === 'REPLACE';
    const given = objectHeaders('CopyObject', request.headers);
    if (!replace && sourceBucket === request.bucket && sourceKey === request.key)
      throw new AwsError(
        'InvalidRequest',
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
        400,
      );
    const bytes = await this.bodies.read(source.body, 0, source.size);
    const algorithm = request.headers['x-amz-checksum-algorithm']?.toLowerCase() ?? source.checksum?.algorithm;
    const object: StoredObject = {
      key: request.key,
      body: await this.bodies.put(bytes),
      size: source.size,
      etag: `"${createHash('md5').update(bytes).digest('hex')}"`,
      modifiedMs: this.clock.now(),
      headers: replace ? given : source.headers,
      checksum: algorithm ? { algorithm, value: checksumOf(algorithm, bytes), type: 'FULL_OBJECT' } : undefined,
    };
    await this.commit(bucket, object, request.headers);
    return xmlAnswer('CopyObjectResult', {
      LastModified: new Date(object.modifiedMs).toISOString(),
      ETag: object.etag,
    });
  }

  /** What a copy is to be made of. */
  sourceOf(request: S3Request, bucketOf: (name: string) => Bucket) {
    const [, sourceBucket, sourceKey] =
      /^\/?([^/]+)\/(.+)$/s.exec(decodeURIComponent(request.headers['x-amz-copy-source'] ?? '')) ?? [];
    if (!sourceBucket || !sourceKey)
      throw invalidArgument('Copy Source must mention the source bucket and key: sourcebucket/sourcekey');
    const source = this.find(bucketOf(sourceBucket), sourceKey);
    if (!mayRead(source, request.headers, 'x-amz-copy-source-'))
      throw preconditionFailed('x-amz-copy-source-If-None-Match');
    return { source, sourceBucket, sourceKey };
  }

  list(bucket: Bucket, request: S3Request): WireResponse {
    const { query } = request;
    const { prefix = '', delimiter = '', 'start-after': startAfter, 'continuation-token': token } = query;
    const asked = Number(query['max-keys'] ?? 1000);
    if (!Number.isInteger(asked) || asked < 0)
      throw invalidArgument('Provided max-keys not an integer or within integer range');
    const from =
      token !== undefined ? Buffer.from(token, 'base64url').toString() : startAfter ? `${startAfter}\u0000` : '';
    const max = Math.min(asked, 1000);
    const listing = listKeys(bucket, prefix, delimiter, from, max);
    const encode = query['encoding-type'] === 'url' ? encodeURIComponent : (text: string) => text;
    return xmlAnswer('ListBucketResult', {
      Name: request.bucket,
      Prefix: encode(prefix),
      Delimiter: delimiter ? encode(delimiter) : undefined,
      StartAfter: startAfter === undefined ? undefined : encode(startAfter),
      EncodingType: query['encoding-type'],
      MaxKeys: asked,
      KeyCount: listing.keys.length + listing.commonPrefixes.length,
      IsTruncated: listing.next !== undefined,
      ContinuationToken: token,
      NextContinuationToken: listing.next === undefined ? undefined : Buffer.from(listing.next).toString('base64url'),
      Contents: listing.keys.map((key) => summary(bucket.get(key)!, encode)),
      CommonPrefixes: listing.commonPrefixes.map((common) => ({ Prefix: encode(common) })),
    });
  }

  async remove(bucket: Bucket, key: string): Promise<void> {
    const object = bucket.get(key);
    if (!object) return;
    bucket.delete(key);
    await this.bodies.remove(object.body);
  }

  private find(bucket: Bucket, key: string): StoredObject {
    const object = bucket.get(key);
    if (!object) throw noSuchKey(key);
    return object;
  }
}

export function validateKey(key: string): void {
  if (Buffer.byteLength(key) > 1024) throw new AwsError('KeyTooLongError', 'Your key is too long', 400);
}

const httpDate = (timeMs: number) => new Date(timeMs).toUTCString();

function summary(object: StoredObject, encode: (text: string) => string) {
  return {
    Key: encode(object.key),
    LastModified: new Date(object.modifiedMs).toISOString(),
    ETag: object.etag,
    ChecksumAlgorithm: object.checksum?.algorithm.toUpperCase(),
    ChecksumType: object.checksum?.type,
    Size: object.size,
    StorageClass: 'STANDARD',
  };
}

function readHeaders(object: StoredObject, request: S3Request, whole: boolean): Record<string, string> {
  const headers: Record<string, string> = {
    ...object.headers,
    'accept-ranges': 'bytes',
    'last-modified': httpDate(object.modifiedMs),
    'x-amz-server-side-encryption': 'AES256',
    etag: object.etag,
  };
  if (whole && request.headers['x-amz-checksum-mode'] === 'ENABLED') Object.assign(headers, etagAndChecksum(object));
  for (const [name, value] of Object.entries(request.query)) {
    if (name.startsWith('response-')) headers[name.slice('response-'.length)] = value;
  }
  return headers;
}
