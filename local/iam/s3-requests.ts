import { readPayload } from '../services/s3/payload.ts';
import { readRequest, type S3Request } from '../services/s3/request.ts';
import { childrenOf, parseXml, textOf } from '../xml.ts';
import type { AskedCall } from './access.ts';
import type { Access } from './policy.ts';

const objectActions: Readonly<Record<string, string>> = {
  GetObject: 'GetObject',
  HeadObject: 'GetObject',
  PutObject: 'PutObject',
  DeleteObject: 'DeleteObject',
  CopyObject: 'PutObject',
  CreateMultipartUpload: 'PutObject',
  UploadPart: 'PutObject',
  UploadPartCopy: 'PutObject',
  CompleteMultipartUpload: 'PutObject',
  AbortMultipartUpload: 'AbortMultipartUpload',
  ListParts: 'ListMultipartUploadParts',
};
const bucketActions: Readonly<Record<string, string>> = {
  HeadBucket: 'ListBucket',
  ListObjects: 'ListBucket',
  ListObjectsV2: 'ListBucket',
  ListMultipartUploads: 'ListBucketMultipartUploads',
  CreateBucket: 'CreateBucket',
  DeleteBucket: 'DeleteBucket',
};

export function s3Accesses({ operation, request: wireRequest }: AskedCall): Access[] | undefined {
  if (operation === 'ListBuckets') return [{ action: 's3:ListAllMyBuckets', resource: '*' }];
  const request = readRequest(wireRequest);
  const { bucket, key, headers } = request;
  const bucketAction = bucketActions[operation];
  if (bucketAction)
    return [
      { action: `s3:${bucketAction}`, resource: bucketArn(bucket), context: { 's3:prefix': request.query.prefix } },
    ];
  const onObject = (action: string, name = key) => ({
    action: `s3:${action}`,
    resource: `${bucketArn(bucket)}/${name}`,
  });
  // S3 answers a DeleteObjects that is allowed for some of its keys only with errors for the others; here it is refused.
  if (operation === 'DeleteObjects') return deletedKeys(request).map((name) => onObject('DeleteObject', name));
  const objectAction = objectActions[operation];
  if (!objectAction) return undefined;
  const accesses = [onObject(objectAction)];
  // A write on condition that the object is as it was reads it.
  if (objectAction === 'PutObject' && headers['if-match'] !== undefined) accesses.push(onObject('GetObject'));
  const source = headers['x-amz-copy-source'];
  if (source !== undefined)
    accesses.push({ action: 's3:GetObject', resource: bucketArn(decodeURIComponent(source).replace(/^\//, '')) });
  return accesses;
}

export const bucketArn = (bucket: string) => `arn:aws:s3:::${bucket}`;

function deletedKeys(request: S3Request): string[] {
  const { bytes } = readPayload(request.body, request.headers);
  const document = parseXml(Buffer.from(bytes).toString('utf8'));
  return document ? childrenOf(document, 'Object').map((entry) => textOf(entry, 'Key') ?? '') : [];
}
