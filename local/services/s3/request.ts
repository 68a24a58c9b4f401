import { AwsError, notEmulated } from '../../errors.ts';
import type { WireRequest, WireResponse } from '../../service.ts';
import { toXml, type XmlValue, xmlDeclaration } from '../../xml.ts';
import type { StoredObject } from './bucket.ts';

/** A request to S3, taken apart. */
export interface S3Request {
  method: string;
  bucket: string;
  key: string;
  query: Record<string, string>;
  /** Lower-case headers; for a presigned URL those in its query, too. */
  headers: Record<string, string | undefined>;
  body: Uint8Array;
  presigned: boolean;
}

/** Path style, or the bucket in the host: `bucket.s3.us-east-1.amazonaws.com`. */
export function readRequest(request: WireRequest): S3Request {
  const query: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.query))
    query[name] = Array.isArray(value) ? (value[0] ?? '') : value;
  const presigned = query['X-Amz-Signature'] !== undefined;
  const headers: Record<string, string | undefined> = { ...request.headers };
  if (presigned) {
    for (const [name, value] of Object.entries(query)) {
      const header = name.toLowerCase();
      if (header.startsWith('x-amz-') && !signing.has(header)) headers[header] = value;
    }
  }
  const virtual = /^(.+?)\.s3[.-]/.exec(request.headers.host ?? '')?.[1];
  const path = decodePath(request.path).slice(1);
  const slash = path.indexOf('/');
  const bucket = virtual ?? (slash < 0 ? path : path.slice(0, slash));
  const key = virtual ? path : slash < 0 ? '' : path.slice(slash + 1);
  return { method: request.method, bucket, key, query, headers, body: request.body, presigned };
}

const signing = new Set([
  'x-amz-signature',
  'x-amz-credential',
  'x-amz-signedheaders',
  'x-amz-algorithm',
  'x-amz-expires',
  'x-amz-date',
  'x-amz-security-token',
]);

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new AwsError('InvalidURI', `Couldn't parse the specified URI: ${path}`, 400);
  }
}

/** Sub-resources in the query, each with the operations of its methods. */
const bucketOperations: [string, Record<string, string>][] = [
  ['uploads', { GET: 'ListMultipartUploads' }],
  ['delete', { POST: 'DeleteObjects' }],
  ['list-type', { GET: 'ListObjectsV2' }],
  ['', { GET: 'ListObjects', PUT: 'CreateBucket', HEAD: 'HeadBucket', DELETE: 'DeleteBucket' }],
];
const objectOperations: [string, Record<string, string>][] = [
  ['uploads', { POST: 'CreateMultipartUpload' }],
  [
    'uploadId',
    { PUT: 'UploadPart', POST: 'CompleteMultipartUpload', DELETE: 'AbortMultipartUpload', GET: 'ListParts' },
  ],
  ['', { GET: 'GetObject', PUT: 'PutObject', HEAD: 'HeadObject', DELETE: 'DeleteObject' }],
];
const subresources = [
  'abac',
  'accelerate',
  'acl',
  'analytics',
  'attributes',
  'cors',
  'encryption',
  'inventory',
  'lifecycle',
  'legal-hold',
  'location',
  'logging',
  'metrics',
  'notification',
  'object-lock',
  'ownershipControls',
  'policy',
  'policyStatus',
  'publicAccessBlock',
  'replication',
  'requestPayment',
  'restore',
  'retention',
  'select',
  'session',
  'tagging',
  'torrent',
  'versioning',
  'versions',
  'website',
];

export function operationOf(request: S3Request): string {
  const { method, bucket, key, query, headers } = request;
  if (!bucket) return method === 'GET' ? 'ListBuckets' : `${method} /`;
  const subresource = subresources.find((name) => query[name] !== undefined);
  if (subresource) return `${method} ${key ? 'object' : 'bucket'} ?${subresource}`;
  const table = key ? objectOperations : bucketOperations;
  const operation = table.find(([name]) => name === '' || query[name] !== undefined)?.[1][method];
  if (headers['x-amz-copy-source'] !== undefined && operation === 'PutObject') return 'CopyObject';
  if (headers['x-amz-copy-source'] !== undefined && operation === 'UploadPart') return 'UploadPartCopy';
  return operation ?? `${method} ${key ? 'object' : 'bucket'}`;
}

const storedHeaders = [
  'content-type',
  'content-encoding',
  'content-disposition',
  'content-language',
  'cache-control',
  'expires',
];
/** Headers that are read somewhere, or that have no meaning here because they say what is the case anyway. */
const knownHeaders =
  /^x-amz-(meta-.+|checksum-.+|date|content-sha256|security-token|decoded-content-length|trailer|sdk-checksum-algorithm|user-agent|expected-bucket-owner|copy-source|copy-source-if-.+|copy-source-range|metadata-directive|mp-object-size)$/;

/** Headers that are kept with an object. @throws AwsError for `x-amz-` headers that are not emulated */
export function objectHeaders(operation: string, headers: S3Request['headers']): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    const stored = storedHeaders.includes(name) || name.startsWith('x-amz-meta-');
    if (stored) kept[name] = value;
    else if (name.startsWith('x-amz-') && !knownHeaders.test(name) && !isDefault(name, value))
      throw notEmulated('s3', `header ${name}: ${value} of ${operation}`);
  }
  const encoding = kept['content-encoding']
    ?.split(',')
    .map((part) => part.trim())
    .filter((part) => part !== 'aws-chunked')
    .join(', ');
  if (encoding) kept['content-encoding'] = encoding;
  else delete kept['content-encoding'];
  kept['content-type'] ??= 'binary/octet-stream';
  return kept;
}

const isDefault = (name: string, value: string) =>
  (name === 'x-amz-server-side-encryption' && value === 'AES256') ||
  (name === 'x-amz-storage-class' && value === 'STANDARD');

export function etagAndChecksum(object: Pick<StoredObject, 'etag' | 'checksum'>): Record<string, string> {
  const { etag, checksum } = object;
  return {
    etag,
    ...(checksum && { [`x-amz-checksum-${checksum.algorithm}`]: checksum.value, 'x-amz-checksum-type': checksum.type }),
  };
}

export function answer(
  status: number,
  headers: Record<string, string> = {},
  body: Uint8Array | string = '',
): WireResponse {
  return { status, headers, body };
}

export function xmlAnswer(name: string, value: XmlValue): WireResponse {
  const body = xmlDeclaration + toXml(name, value, 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"');
  return answer(200, { 'content-type': 'application/xml' }, body);
}
