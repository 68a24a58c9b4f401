import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { AwsError } from '../../errors.ts';
import type { WireResponse } from '../../service.ts';
import { childrenOf, parseXml, textOf } from '../../xml.ts';
import type { Bodies } from './bodies.ts';
import type { Bucket, StoredObject, StoredPart, StoredUpload } from './bucket.ts';
import { checkPartNumber, checkWrite, parseRange } from './conditions.ts';
import { malformedXml } from './errors.ts';
import { type Objects, validateKey } from './objects.ts';
import { type Checksum, checksumOf, readPayload } from './payload.ts';
import { answer, etagAndChecksum, objectHeaders, type S3Request, xmlAnswer } from './request.ts';

const minPartBytes = 5 * 1024 ** 2;

/** Multipart uploads. */
export class Uploads {
  private readonly bodies: Bodies;
  private readonly objects: Objects;
  private readonly clock: Clock;

  constructor(bodies: Bodies, objects: Objects, clock: Clock) {
    this.bodies = bodies;
    this.objects = objects;
    this.clock = clock;
  }

  create(bucket: Bucket, request: S3Request): WireResponse {
    validateKey(request.key);
    const algorithm = request.headers['x-amz-checksum-algorithm'];
    const upload: StoredUpload = {
      id: randomBytes(24).toString('base64url'),
      key: request.key,
      headers: objectHeaders('CreateMultipartUpload', request.headers),
      algorithm: algorithm?.toLowerCase(),
      createdMs: this.clock.now(),
      parts: {},
    };
    bucket.uploads.set(upload.id, upload);
    const response = xmlAnswer('InitiateMultipartUploadResult', {
      Bucket: request.bucket,
      Key: request.key,
      UploadId: upload.id,
    });
    if (algorithm)
      Object.assign(response.headers, { 'x-amz-checksum-algorithm': algorithm, 'x-amz-checksum-type': 'COMPOSITE' });
    return response;
  }

  async put(bucket: Bucket, request: S3Request): Promise<WireResponse> {
    const upload = find(bucket, request);
    const number = checkPartNumber(request.query.partNumber);
    const { bytes, checksum } = readPayload(request.body, request.headers);
    const etag = `"${createHash('md5').update(bytes).digest('hex')}"`;
    const kept = checksum ?? computed(upload.algorithm, bytes);
    const part: StoredPart = {
      body: await this.bodies.put(bytes),
      size: bytes.length,
      etag,
      modifiedMs: this.clock.now(),
      checksum: kept,
    };
    const before = upload.parts[number];
    upload.parts[number] = part;
    bucket.uploads.set(upload.id, upload);
    if (before) await this.bodies.remove(before.body);
    return answer(200, etagAndChecksum(part));
  }

  /** A part that is a range of an object, or all of it. */
  async copyPart(
    bucket: Bucket,
    request: S3Request,
    source: { object: StoredObject; range: string | undefined },
  ): Promise<WireResponse> {
    const upload = find(bucket, request);
    const number = checkPartNumber(request.query.partNumber);
    const { object } = source;
    const { start, end } = (source.range && parseRange(source.range, object.size)) || { start: 0, end: object.size };
    const bytes = await this.bodies.read(object.body, start, end);
    const etag = `"${createHash('md5').update(bytes).digest('hex')}"`;
    const before = upload.parts[number];
    const modifiedMs = this.clock.now();
    const checksum = computed(upload.algorithm, bytes);
    upload.parts[number] = { body: await this.bodies.put(bytes), size: bytes.length, etag, modifiedMs, checksum };
    bucket.uploads.set(upload.id, upload);
    if (before) await this.bodies.remove(before.body);
    return xmlAnswer('CopyPartResult', { LastModified: new Date(modifiedMs).toISOString(), ETag: etag });
  }

  async complete(bucket: Bucket, request: S3Request): Promise<WireResponse> {
    const upload = find(bucket, request);
    const parts = chosenParts(upload, request.body);
    checkWrite(upload.key, bucket.get(upload.key), request.headers);
    const body = await this.bodies.concat(
      parts.map((part) => part.body),
      parts.map((part) => part.size),
    );
    const digests = Buffer.concat(parts.map((part) => Buffer.from(part.etag.slice(1, -1), 'hex')));
    const object: StoredObject = {
      key: upload.key,
      body,
      size: parts.reduce((sum, part) => sum + part.size, 0),
      etag: `"${createHash('md5').update(digests).digest('hex')}-${parts.length}"`,
      modifiedMs: this.clock.now(),
      headers: upload.headers,
      checksum: compositeChecksum(parts),
    };
    await this.objects.commit(bucket, object, request.headers);
    await this.discard(bucket, upload);
    const { checksum } = object;
    return xmlAnswer('CompleteMultipartUploadResult', {
      Location: `/${request.bucket}/${upload.key}`,
      Bucket: request.bucket,
      Key: upload.key,
      ETag: object.etag,
      ...(checksum && { [`Checksum${checksum.algorithm.toUpperCase()}`]: checksum.value, ChecksumType: checksum.type }),
    });
  }

  async abort(bucket: Bucket, request: S3Request): Promise<WireResponse> {
    await this.discard(bucket, find(bucket, request));
    return answer(204);
  }

  list(bucket: Bucket, request: S3Request): WireResponse {
    const upload = find(bucket, request);
    const after = Number(request.query['part-number-marker'] ?? 0);
    const max = Math.min(Number(request.query['max-parts'] ?? 1000), 1000);
    const all = Object.entries(upload.parts).filter(([number]) => Number(number) > after);
    const page = all.slice(0, max);
    return xmlAnswer('ListPartsResult', {
      Bucket: request.bucket,
      Key: upload.key,
      UploadId: upload.id,
      PartNumberMarker: after,
      NextPartNumberMarker: page.at(-1)?.[0],
      MaxParts: max,
      IsTruncated: all.length > page.length,
      Part: page.map(([PartNumber, part]) => ({
        PartNumber,
        LastModified: new Date(part.modifiedMs).toISOString(),
        ETag: part.etag,
        Size: part.size,
        ...(part.checksum && { [`Checksum${part.checksum.algorithm.toUpperCase()}`]: part.checksum.value }),
      })),
    });
  }

  private async discard(bucket: Bucket, upload: StoredUpload): Promise<void> {
    bucket.uploads.delete(upload.id);
    for (const part of Object.values(upload.parts)) await this.bodies.remove(part.body);
  }
}

function find(bucket: Bucket, request: S3Request): StoredUpload {
  const upload = bucket.uploads.get(request.query.uploadId ?? '');
  if (!upload || upload.key !== request.key)
    throw new AwsError(
      'NoSuchUpload',
      'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
      404,
      { UploadId: request.query.uploadId },
    );
  return upload;
}

/** The parts that the caller names, in its order. */
function chosenParts(upload: StoredUpload, body: Uint8Array): StoredPart[] {
  const document = parseXml(Buffer.from(body).toString('utf8'));
  const entries = document?.name === 'CompleteMultipartUpload' ? childrenOf(document, 'Part') : [];
  if (entries.length === 0) throw malformedXml();
  let last = 0;
  const parts = entries.map((entry) => {
    const number = Number(textOf(entry, 'PartNumber'));
    if (number <= last)
      throw new AwsError(
        'InvalidPartOrder',
        'The list of parts was not in ascending order. Parts must be ordered by part number.',
        400,
      );
    last = number;
    const part = upload.parts[number];
    if (!part || part.etag.slice(1, -1) !== textOf(entry, 'ETag')?.replace(/^"|"$/g, ''))
      throw new AwsError(
        'InvalidPart',
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
        400,
      );
    return part;
  });
  if (parts.slice(0, -1).some((part) => part.size < minPartBytes))
    throw new AwsError('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', 400);
  return parts;
}

function computed(algorithm: string | undefined, bytes: Uint8Array): Checksum | undefined {
  return algorithm ? { algorithm, value: checksumOf(algorithm, bytes), type: 'FULL_OBJECT' } : undefined;
}

/** The checksum of the parts' checksums. */
function compositeChecksum(parts: StoredPart[]): Checksum | undefined {
  const algorithm = parts[0]?.checksum?.algorithm;
  if (!algorithm || parts.some((part) => part.checksum?.algorithm !== algorithm)) return undefined;
  const values = Buffer.concat(parts.map((part) => Buffer.from(part.checksum!.value, 'base64')));
  return { algorithm, value: `${checksumOf(algorithm, values)}-${parts.length}`, type: 'COMPOSITE' };
}
