import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { AwsError, notEmulated } from '../../errors.ts';
import { sha256Hex } from '../../sigv4.ts';

/** A checksum as S3 sends it: `algorithm` in lower case, `value` in base64 (with `-N` for N parts). */
export interface Checksum {
  algorithm: string;
  value: string;
  type: 'FULL_OBJECT' | 'COMPOSITE';
}

type Headers = Record<string, string | undefined>;

const algorithms: Record<string, (bytes: Uint8Array) => Buffer> = {
  crc32: (bytes) => bigEndian(crc32(bytes)),
  crc32c: (bytes) => bigEndian(crc32c(bytes)),
  sha1: (bytes) => createHash('sha1').update(bytes).digest(),
  sha256: (bytes) => createHash('sha256').update(bytes).digest(),
};

export function checksumOf(algorithm: string, bytes: Uint8Array): string {
  const compute = algorithms[algorithm];
  if (!compute) throw notEmulated('s3', `checksum algorithm ${algorithm}`);
  return compute(bytes).toString('base64');
}

/** The content of a request with its checksums verified. @throws AwsError `BadDigest`, `IncompleteBody` and others */
export function readPayload(body: Uint8Array, headers: Headers): { bytes: Uint8Array; checksum: Checksum | undefined } {
  const sha256 = headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD';
  const chunked = sha256.startsWith('STREAMING-');
  const { bytes, trailer } = chunked ? decodeChunks(body) : { bytes: body, trailer: {} as Headers };
  const stated = headers['x-amz-decoded-content-length'];
  if (chunked && stated !== undefined && Number(stated) !== bytes.length)
    throw new AwsError('IncompleteBody', 'The request body terminated unexpectedly', 400);
  if (/^[\da-f]{64}$/.test(sha256) && sha256Hex(bytes) !== sha256)
    throw new AwsError(
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
      400,
    );
  const contentMd5 = headers['content-md5'];
  if (contentMd5 !== undefined && createHash('md5').update(bytes).digest('base64') !== contentMd5)
    throw new AwsError('BadDigest', 'The Content-MD5 you specified did not match what we received.', 400);
  return { bytes, checksum: verifyChecksum(bytes, { ...headers, ...trailer }) };
}

function verifyChecksum(bytes: Uint8Array, headers: Headers): Checksum | undefined {
  for (const [name, value] of Object.entries(headers)) {
    const algorithm = /^x-amz-checksum-(crc32|crc32c|crc64nvme|sha1|sha256)$/.exec(name)?.[1];
    if (!algorithm || value === undefined) continue;
    if (checksumOf(algorithm, bytes) !== value)
      throw new AwsError(
        'BadDigest',
        `The ${algorithm.toUpperCase()} you specified did not match the calculated checksum.`,
        400,
      );
    return { algorithm, value, type: 'FULL_OBJECT' };
  }
  const wanted = headers['x-amz-sdk-checksum-algorithm']?.toLowerCase();
  return wanted ? { algorithm: wanted, value: checksumOf(wanted, bytes), type: 'FULL_OBJECT' } : undefined;
}

/** Decodes `aws-chunked`: `<hex size>[;chunk-signature=…]CRLF <bytes> CRLF … 0 CRLF <trailer> CRLF`. */
function decodeChunks(body: Uint8Array): { bytes: Buffer; trailer: Headers } {
  const source = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const end = source.indexOf('\r\n', at);
    const size = end < 0 ? Number.NaN : Number.parseInt(source.toString('latin1', at, end), 16);
    const from = end + 2;
    if (Number.isNaN(size) || from + size > source.length)
      throw new AwsError('IncompleteBody', 'The request body terminated unexpectedly', 400);
    at = from + size + 2;
    if (size === 0) return { bytes: Buffer.concat(chunks), trailer: readTrailer(source.toString('latin1', from)) };
    chunks.push(source.subarray(from, from + size));
  }
}

function readTrailer(text: string): Headers {
  const trailer: Headers = {};
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0) trailer[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
  }
  return trailer;
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

let crc32cTable: Uint32Array | undefined;

function crc32c(bytes: Uint8Array): number {
  crc32cTable ??= Uint32Array.from({ length: 256 }, (_, index) => {
    let value = index;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
    return value >>> 0;
  });
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crc32cTable[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
