import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  ListPartsCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { expect } from 'vitest';
import { contract, type World } from './claim.ts';

const partBytes = 5 * 1024 * 1024;

/** A bucket of the claim's own. */
async function bucket(world: World) {
  const s3 = world.client(S3Client, { forcePathStyle: true });
  const Bucket = world.unique('contract');
  await s3.send(new CreateBucketCommand({ Bucket }));
  const keys = async (more: Partial<ListObjectsV2CommandInput> = {}) =>
    ((await s3.send(new ListObjectsV2Command({ Bucket, ...more }))).Contents ?? []).map(({ Key }) => Key!);
  world.later(() => s3.send(new DeleteBucketCommand({ Bucket })));
  world.later(async () => {
    const Objects = (await keys()).map((Key) => ({ Key }));
    if (Objects.length > 0) await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  });
  const put = (Key: string, Body: string | Uint8Array, more: Partial<PutObjectCommandInput> = {}) =>
    s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
  const get = (Key: string, more: object = {}) => s3.send(new GetObjectCommand({ Bucket, Key, ...more }));
  const text = async (Key: string, more: object = {}) => (await get(Key, more)).Body!.transformToString();
  return { s3, Bucket, keys, put, get, text };
}

contract('S3', (claim) => {
  claim('CreateBucket', 'a bucket is found and listed', async (world) => {
    const { s3, Bucket } = await bucket(world);
    await s3.send(new HeadBucketCommand({ Bucket }));
    const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
    expect(Buckets.map(({ Name }) => Name)).toContain(Bucket);
  });

  claim('HeadBucket', 'of a bucket that is not there is NotFound', async (world) => {
    const s3 = world.client(S3Client, { forcePathStyle: true });
    const call = s3.send(new HeadBucketCommand({ Bucket: world.unique('none') }));
    await expect(call).rejects.toMatchObject({ name: 'NotFound' });
  });

  claim('DeleteBucket', 'of a bucket that is not empty is refused', async (world) => {
    const { s3, Bucket, put } = await bucket(world);
    await put('a', '1');
    await expect(s3.send(new DeleteBucketCommand({ Bucket }))).rejects.toMatchObject({ name: 'BucketNotEmpty' });
  });

  claim('PutObject', 'content, type and metadata come back, and the ETag is the MD5', async (world) => {
    const { put, get } = await bucket(world);
    const { ETag } = await put('a', 'hello', { ContentType: 'text/plain', Metadata: { kind: 'x' } });
    expect(ETag).toBe('"5d41402abc4b2a76b9719d911017c592"');
    const object = await get('a');
    expect(object).toMatchObject({ ETag, ContentType: 'text/plain', ContentLength: 5, Metadata: { kind: 'x' } });
    expect(await object.Body!.transformToString()).toBe('hello');
  });

  claim('PutObject', 'If-None-Match: * writes only what is not there', async (world) => {
    const { put, text } = await bucket(world);
    await put('a', '1', { IfNoneMatch: '*' });
    await expect(put('a', '2', { IfNoneMatch: '*' })).rejects.toMatchObject({ name: 'PreconditionFailed' });
    expect(await text('a')).toBe('1');
  });

  claim('PutObject', 'If-Match writes only over that ETag', async (world) => {
    const { put } = await bucket(world);
    const { ETag } = await put('a', '1');
    await put('a', '2', { IfMatch: ETag });
    await expect(put('a', '3', { IfMatch: ETag })).rejects.toMatchObject({ name: 'PreconditionFailed' });
  });

  claim('PutObject', 'If-Match on a key that is not there is NoSuchKey', async (world) => {
    const { put } = await bucket(world);
    const call = put('a', '1', { IfMatch: '"5d41402abc4b2a76b9719d911017c592"' });
    await expect(call).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  claim('PutObject', 'a checksum that does not match is refused', async (world) => {
    const { put } = await bucket(world);
    const call = put('a', 'hello', { ChecksumSHA256: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=' });
    await expect(call).rejects.toMatchObject({ name: 'BadDigest' });
  });

  claim('PutObject', 'a key of more than 1,024 bytes is refused', async (world) => {
    const { put } = await bucket(world);
    await expect(put('é'.repeat(513), '1')).rejects.toMatchObject({ name: 'KeyTooLongError' });
  });

  claim('GetObject', 'of a key that is not there is NoSuchKey', async (world) => {
    const { get } = await bucket(world);
    await expect(get('a')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  claim('GetObject', 'of a bucket that is not there is NoSuchBucket', async (world) => {
    const s3 = world.client(S3Client, { forcePathStyle: true });
    const call = s3.send(new GetObjectCommand({ Bucket: world.unique('none'), Key: 'a' }));
    await expect(call).rejects.toMatchObject({ name: 'NoSuchBucket' });
  });

  claim('GetObject', 'a range is a part of it, and one beyond its end is refused', async (world) => {
    const { put, get, text } = await bucket(world);
    await put('a', '0123456789');
    expect(await text('a', { Range: 'bytes=2-4' })).toBe('234');
    expect(await text('a', { Range: 'bytes=-3' })).toBe('789');
    expect(await get('a', { Range: 'bytes=8-99' })).toMatchObject({ ContentRange: 'bytes 8-9/10', ContentLength: 2 });
    await expect(get('a', { Range: 'bytes=10-' })).rejects.toMatchObject({ name: 'InvalidRange' });
  });

  claim('GetObject', 'under conditions it answers 304 or 412', async (world) => {
    const { put, get, text } = await bucket(world);
    const { ETag } = await put('a', '1');
    expect(await text('a', { IfMatch: ETag })).toBe('1');
    const status = (call: Promise<unknown>) =>
      call.then(
        () => 200,
        (error) => error.$metadata.httpStatusCode,
      );
    expect(await status(get('a', { IfNoneMatch: ETag }))).toBe(304);
    expect(await status(get('a', { IfMatch: '"other"' }))).toBe(412);
  });

  claim('HeadObject', 'tells length, type and metadata', async (world) => {
    const { s3, Bucket, put } = await bucket(world);
    await put('a/b c+é', 'hello', { Metadata: { kind: 'x' } });
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'a/b c+é' }));
    expect(head).toMatchObject({ ContentLength: 5, Metadata: { kind: 'x' }, LastModified: expect.any(Date) });
  });

  claim('HeadObject', 'of a key that is not there is NotFound', async (world) => {
    const { s3, Bucket } = await bucket(world);
    const call = s3.send(new HeadObjectCommand({ Bucket, Key: 'a' }));
    await expect(call).rejects.toMatchObject({ name: 'NotFound' });
  });

  claim('DeleteObject', 'of a key that is not there is no error', async (world) => {
    const { s3, Bucket, put, keys } = await bucket(world);
    await put('a', '1');
    for (const Key of ['a', 'a']) await s3.send(new DeleteObjectCommand({ Bucket, Key }));
    expect(await keys()).toEqual([]);
  });

  claim('DeleteObjects', 'deletes many and names them', async (world) => {
    const { s3, Bucket, put, keys } = await bucket(world);
    for (const key of ['a', 'b', 'c']) await put(key, '1');
    const Objects = [{ Key: 'a' }, { Key: 'b' }, { Key: 'none' }];
    const { Deleted = [] } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    expect(Deleted.map(({ Key }) => Key).toSorted()).toEqual(['a', 'b', 'none']);
    expect(await keys()).toEqual(['c']);
  });

  claim('ListObjectsV2', 'keys come in the order of their UTF-8 bytes', async (world) => {
    const { put, keys } = await bucket(world);
    for (const key of ['b', 'é', 'B', 'a/1', 'a']) await put(key, '1');
    expect(await keys()).toEqual(['B', 'a', 'a/1', 'b', 'é']);
  });

  claim('ListObjectsV2', 'a delimiter groups what lies below', async (world) => {
    const { s3, Bucket, put } = await bucket(world);
    for (const key of ['a/1', 'a/2', 'b/1', 'c']) await put(key, '1');
    const list = await s3.send(new ListObjectsV2Command({ Bucket, Delimiter: '/' }));
    expect(list.CommonPrefixes).toEqual([{ Prefix: 'a/' }, { Prefix: 'b/' }]);
    expect(list.Contents).toMatchObject([{ Key: 'c' }]);
    expect(list.KeyCount).toBe(3);
  });

  claim('ListObjectsV2', 'goes page by page', async (world) => {
    const { s3, Bucket, put, keys } = await bucket(world);
    for (const key of ['p/1', 'p/2', 'p/3', 'q']) await put(key, '1');
    const first = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'p/', MaxKeys: 2 }));
    expect(first).toMatchObject({ IsTruncated: true, KeyCount: 2 });
    expect(await keys({ Prefix: 'p/', ContinuationToken: first.NextContinuationToken })).toEqual(['p/3']);
  });

  claim('ListObjectsV2', 'starts after a key', async (world) => {
    const { put, keys } = await bucket(world);
    for (const key of ['a', 'b', 'c']) await put(key, '1');
    expect(await keys({ StartAfter: 'a' })).toEqual(['b', 'c']);
  });

  claim('CopyObject', 'keeps the metadata, or replaces it when told so', async (world) => {
    const { s3, Bucket, put, get } = await bucket(world);
    await put('a', '1', { Metadata: { kind: 'x' } });
    const copy = (Key: string, more: object = {}) =>
      s3.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/a`, ...more }));
    await copy('b');
    await copy('c', { MetadataDirective: 'REPLACE', Metadata: { kind: 'y' } });
    expect([(await get('b')).Metadata, (await get('c')).Metadata]).toEqual([{ kind: 'x' }, { kind: 'y' }]);
  });

  claim('CompleteMultipartUpload', 'puts the parts together, with the ETag of parts', async (world) => {
    const { s3, Bucket, get } = await bucket(world);
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'a' }));
    const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
    for (const [PartNumber, Body] of [
      [1, Buffer.alloc(partBytes, 'x')],
      [2, Buffer.from('end')],
    ] as const) {
      const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key: 'a', UploadId, PartNumber, Body }));
      Parts.push({ PartNumber, ETag });
    }
    const listed = await s3.send(new ListPartsCommand({ Bucket, Key: 'a', UploadId }));
    expect(listed.Parts?.map(({ Size }) => Size)).toEqual([partBytes, 3]);
    const done = new CompleteMultipartUploadCommand({ Bucket, Key: 'a', UploadId, MultipartUpload: { Parts } });
    expect((await s3.send(done)).ETag).toMatch(/^"[0-9a-f]{32}-2"$/);
    expect((await get('a')).ContentLength).toBe(partBytes + 3);
  });

  claim('CompleteMultipartUpload', 'a part below 5 MiB that is not the last is refused', async (world) => {
    const { s3, Bucket } = await bucket(world);
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'a' }));
    const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
    for (const PartNumber of [1, 2]) {
      const Body = 'small';
      const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key: 'a', UploadId, PartNumber, Body }));
      Parts.push({ PartNumber, ETag });
    }
    const done = new CompleteMultipartUploadCommand({ Bucket, Key: 'a', UploadId, MultipartUpload: { Parts } });
    await expect(s3.send(done)).rejects.toMatchObject({ name: 'EntityTooSmall' });
  });

  claim('AbortMultipartUpload', 'the upload is gone', async (world) => {
    const { s3, Bucket } = await bucket(world);
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'a' }));
    await s3.send(new AbortMultipartUploadCommand({ Bucket, Key: 'a', UploadId }));
    const part = new UploadPartCommand({ Bucket, Key: 'a', UploadId, PartNumber: 1, Body: 'x' });
    await expect(s3.send(part)).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });
});
