import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { AwsError } from './errors.ts';
import type { WireRequest } from './service.ts';

/** The signature of a request, from its Authorization header or, presigned, from its query. */
export interface Signature {
  accessKeyId: string;
  /** `20270104/us-east-1/s3/aws4_request` */
  scope: string;
  region: string;
  service: string;
  signedHeaders: string[];
  signature: string;
  /** Date of the signature as it was sent: `20270104T080000Z`. */
  date: string;
  timeMs: number;
  /** Seconds for which a presigned URL is valid; undefined for a signed header. */
  expiresSeconds: number | undefined;
  sessionToken: string | undefined;
}

const toleranceMs = 15 * 60_000;
const algorithm = 'AWS4-HMAC-SHA256';

/** @returns undefined for an unsigned request. @throws AwsError `IncompleteSignature` when parts of it are missing. */
export function parseSignature(request: WireRequest): Signature | undefined {
  const header = request.headers.authorization;
  const presigned = one(request, 'X-Amz-Signature') !== undefined;
  if (!header && !presigned) return undefined;
  const part = (name: string) => new RegExp(`[ ,]${name}=([^, ]+)`).exec(header ?? '')?.[1];
  const credential = (presigned ? one(request, 'X-Amz-Credential') : part('Credential')) ?? '';
  const signature = presigned ? one(request, 'X-Amz-Signature') : part('Signature');
  const signedHeaders = presigned ? one(request, 'X-Amz-SignedHeaders') : part('SignedHeaders');
  const date = (presigned ? one(request, 'X-Amz-Date') : request.headers['x-amz-date']) ?? '';
  const named = presigned ? one(request, 'X-Amz-Algorithm') === algorithm : header?.startsWith(`${algorithm} `);
  const [accessKeyId, ...scope] = credential.split('/');
  const timeMs = parseDate(date);
  if (
    !named ||
    !accessKeyId ||
    scope.length !== 4 ||
    !signature ||
    !signedHeaders ||
    Number.isNaN(timeMs) ||
    !date.startsWith(scope[0]!)
  )
    throw new AwsError(
      'IncompleteSignature',
      `The request's signature must be ${algorithm} with Credential, SignedHeaders and Signature, and have an X-Amz-Date of the same day.`,
      400,
    );
  return {
    accessKeyId,
    scope: scope.join('/'),
    region: scope[1]!,
    service: scope[2]!,
    signedHeaders: signedHeaders.split(';'),
    signature,
    date,
    timeMs,
    expiresSeconds: presigned ? Number(one(request, 'X-Amz-Expires') ?? Number.NaN) : undefined,
    sessionToken: presigned ? one(request, 'X-Amz-Security-Token') : request.headers['x-amz-security-token'],
  };
}

/**
 * Checks that the request was signed with this secret: method, path, query, each signed header, body.
 * @throws AwsError `SignatureDoesNotMatch` (403), also when the signature is older or newer than 15 minutes;
 *   `AccessDenied` (403) for a presigned URL that has expired.
 */
export function verifySignature(
  request: WireRequest,
  signature: Signature,
  secretAccessKey: string,
  nowMs: number,
): void {
  refuseStale(signature, nowMs);
  if (!signature.signedHeaders.includes('host'))
    throw new AwsError(
      'SignatureDoesNotMatch',
      "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
      403,
    );
  const expected = Buffer.from(expectedSignature(request, signature, secretAccessKey));
  const received = Buffer.from(signature.signature);
  if (expected.length !== received.length || !timingSafeEqual(expected, received))
    throw new AwsError(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
      403,
    );
}

export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The key that signs everything of one day, region and service. */
export function signingKey(secretAccessKey: string, scope: string): Buffer {
  return scope.split('/').reduce<Buffer>((key, part) => hmac(key, part), Buffer.from(`AWS4${secretAccessKey}`));
}

export function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function expectedSignature(request: WireRequest, signature: Signature, secretAccessKey: string): string {
  const canonical = [
    request.method,
    canonicalPath(request.path, signature.service),
    canonicalQuery(request.rawQuery),
    ...signature.signedHeaders.map((name) => `${name}:${(request.headers[name] ?? '').trim().replace(/\s+/g, ' ')}`),
    '',
    signature.signedHeaders.join(';'),
    payloadHash(request, signature),
  ].join('\n');
  const toSign = [algorithm, signature.date, signature.scope, sha256Hex(canonical)].join('\n');
  return hmac(signingKey(secretAccessKey, signature.scope), toSign).toString('hex');
}

/** S3 signs what the body's header says of it, so that bodies can be streamed; the rest sign the body. */
function payloadHash(request: WireRequest, signature: Signature): string {
  const stated = request.headers['x-amz-content-sha256'];
  if (signature.service !== 's3') return sha256Hex(request.body);
  if (signature.expiresSeconds !== undefined) return stated ?? 'UNSIGNED-PAYLOAD';
  return stated && !/^[\da-f]{64}$/.test(stated) ? stated : sha256Hex(request.body);
}

/** S3 signs the path as it is sent, the rest sign it encoded once more. */
function canonicalPath(path: string, service: string): string {
  const once = (path || '/').split('/').map((segment) => encode(decode(segment, path)));
  return (service === 's3' ? once : once.map(encode)).join('/');
}

function canonicalQuery(rawQuery: string): string {
  const pairs = rawQuery
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const mark = pair.indexOf('=');
      const [name, value] = mark < 0 ? [pair, ''] : [pair.slice(0, mark), pair.slice(mark + 1)];
      return [
        encode(decode(name.replaceAll('+', ' '), pair)),
        encode(decode(value.replaceAll('+', ' '), pair)),
      ] as const;
    })
    .filter(([name]) => name !== 'X-Amz-Signature');
  pairs.sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)));
  return pairs.map(([name, value]) => `${name}=${value}`).join('&');
}

function refuseStale({ date, timeMs, expiresSeconds }: Signature, nowMs: number): void {
  if (timeMs > nowMs + toleranceMs)
    throw new AwsError(
      'SignatureDoesNotMatch',
      `Signature not yet current: ${date} is still later than ${formatDate(nowMs + toleranceMs)} (${formatDate(nowMs)} + 15 min.)`,
      403,
    );
  if (expiresSeconds === undefined) {
    if (timeMs < nowMs - toleranceMs)
      throw new AwsError(
        'SignatureDoesNotMatch',
        `Signature expired: ${date} is now earlier than ${formatDate(nowMs - toleranceMs)} (${formatDate(nowMs)} - 15 min.)`,
        403,
      );
    return;
  }
  if (!Number.isInteger(expiresSeconds) || expiresSeconds < 1 || expiresSeconds > 604_800)
    throw new AwsError(
      'AuthorizationQueryParametersError',
      'X-Amz-Expires must be a number of seconds between 1 and 604800',
      400,
    );
  if (timeMs + expiresSeconds * 1000 < nowMs) throw new AwsError('AccessDenied', 'Request has expired', 403);
}

function parseDate(date: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date);
  if (!match) return Number.NaN;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

function formatDate(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);

function decode(text: string, whole: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AwsError('InvalidURI', `Couldn't parse the specified URI: ${whole}`, 400);
  }
}

function one(request: WireRequest, name: string): string | undefined {
  const value = request.query[name];
  return Array.isArray(value) ? value[0] : value;
}
