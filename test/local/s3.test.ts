import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketAclCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { afterAll, describe, expect, it } from 'vitest';
import type { WireRequest } from '../../local/service.ts';
import { S3Service } from '../../local/services/s3/service.ts';
import { MemoryStore, SqliteStore, type Store } from '../../local/store.ts';
import { listen } from '../../local/transport.ts';
import { client, makeEnvironment, makeWire } from '../support/embedded.ts';

const Bucket = 'bucket';

async function setUp(store: Store = new MemoryStore()) {
  const environment = makeEnvironment({ store });
  const service = new S3Service(environment);
  const wire = makeWire(environment, service);
  const s3 = client(S3Client, wire, { forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket }));
  const put = (Key: string, Body: string | Uint8Array | Readable, more: object = {}) =>
    s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
  const get = (Key: string, more: object = {}) => s3.send(new GetObjectCommand({ Bucket, Key, ...more }));
  const text = async (Key: string, more: object = {}) => (await get(Key, more)).Body!.transformToString();
  const list = (more: object = {}) => s3.send(new ListObjectsV2Command({ Bucket, ...more }));
  /** A plain request, as curl makes it. */
  const fetchUrl = (method: string, url: string, body = '', headers: Record<string, string> = {}) => {
    const { host, pathname, search, searchParams } = new URL(url);
    const query = Object.fromEntries(searchParams);
    const request: WireRequest = {
      method,
      path: pathname,
      query,
      rawQuery: search.slice(1),
      headers: { host, ...headers },
      body: Buffer.from(body),
    };
    return wire.handle(request);
  };
  return { environment, clock: environment.clock, service, wire, s3, put, get, text, list, fetchUrl };
}

describe('a bucket', () => {
  it('is found by the host name, too', async () => {
    const { wire, put } = await setUp();
    await put('a/b c', 'x');
    const s3 = client(S3Client, wire, { endpoint: 'http://s3.localhost' });
    const answer = await s3.send(new GetObjectCommand({ Bucket, Key: 'a/b c' }));
    expect(await answer.Body!.transformToString()).toBe('x');
  });

  it('refuses what is not emulated by its name', async () => {
    const { s3, put } = await setUp();
    await expect(s3.send(new GetBucketAclCommand({ Bucket }))).rejects.toThrow('GET bucket ?acl');
    await expect(put('a', 'x', { ACL: 'public-read' })).rejects.toThrow('header x-amz-acl: public-read of PutObject');
  });
});

describe('an object', () => {
  it('comes back with its content, type, metadata and ETag', async () => {
    const { put, get, s3 } = await setUp();
    const put1 = await put('a/ä b+c.txt', 'hello', {
      ContentType: 'text/plain',
      Metadata: { agent: 'x' },
      CacheControl: 'no-store',
    });
    expect(put1.ETag).toBe('"5d41402abc4b2a76b9719d911017c592"');
    expect(put1.ChecksumCRC32).toBe('NhCmhg==');
    const got = await get('a/ä b+c.txt');
    expect(got).toMatchObject({
      ContentType: 'text/plain',
      Metadata: { agent: 'x' },
      CacheControl: 'no-store',
      ContentLength: 5,
      ETag: put1.ETag,
    });
    expect(await got.Body!.transformToString()).toBe('hello');
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'a/ä b+c.txt', ChecksumMode: 'ENABLED' }));
    expect(head).toMatchObject({ ContentLength: 5, ChecksumCRC32: 'NhCmhg==' });
  });

  it('is read in ranges', async () => {
    const { put, get, text } = await setUp();
    await put('a', '0123456789');
    expect(await text('a', { Range: 'bytes=2-4' })).toBe('234');
    expect(await text('a', { Range: 'bytes=-3' })).toBe('789');
    expect((await get('a', { Range: 'bytes=8-' })).ContentRange).toBe('bytes 8-9/10');
    await expect(get('a', { Range: 'bytes=10-' })).rejects.toMatchObject({ name: 'InvalidRange' });
  });

  it('is written once when two write it at the same time', async () => {
    const { put } = await setUp();
    const results = await Promise.allSettled([
      put('a', '1', { IfNoneMatch: '*' }),
      put('a', '2', { IfNoneMatch: '*' }),
    ]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('is taken with a checksum of any algorithm', async () => {
    const { put } = await setUp();
    for (const ChecksumAlgorithm of ['CRC32C', 'SHA1', 'SHA256']) await put('a', 'x', { ChecksumAlgorithm });
  });

  it('is sent as a stream in chunks with a trailing checksum', async () => {
    const { put, text, get } = await setUp();
    const body = 'chunk '.repeat(50_000);
    await put('a', Readable.from([Buffer.from(body)]), { ContentLength: body.length, ContentType: 'text/plain' });
    expect(await text('a')).toBe(body);
    expect((await get('a')).ContentEncoding).toBeUndefined();
  });

  it('is copied with its metadata or new ones', async () => {
    const { s3, put, get, text } = await setUp();
    await put('a b', 'x', { Metadata: { k: '1' } });
    await s3.send(new CopyObjectCommand({ Bucket, Key: 'c', CopySource: `${Bucket}/a%20b` }));
    expect((await get('c')).Metadata).toEqual({ k: '1' });
    await s3.send(
      new CopyObjectCommand({
        Bucket,
        Key: 'c',
        CopySource: `/${Bucket}/c`,
        MetadataDirective: 'REPLACE',
        Metadata: { k: '2' },
      }),
    );
    expect((await get('c')).Metadata).toEqual({ k: '2' });
    expect(await text('c')).toBe('x');
  });

  it('is deleted alone or with others', async () => {
    const { s3, put, list } = await setUp();
    for (const key of ['a', 'b', 'c&<']) await put(key, key);
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'nothing' }));
    const answer = await s3.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'a' }, { Key: 'c&<' }] } }),
    );
    expect(answer.Deleted).toEqual([{ Key: 'a' }, { Key: 'c&<' }]);
    expect((await list()).Contents?.map(({ Key }) => Key)).toEqual(['b']);
  });
});

describe('a listing', () => {
  it('groups by delimiter and goes page by page', async () => {
    const { put, list } = await setUp();
    for (const key of ['x', 'p/c/1', 'p/a', 'p/b/2', 'p/b/1', 'p/d']) await put(key, 'x');
    const all = await list({ Prefix: 'p/', Delimiter: '/' });
    expect(all.Contents?.map(({ Key }) => Key)).toEqual(['p/a', 'p/d']);
    expect(all.CommonPrefixes).toEqual([{ Prefix: 'p/b/' }, { Prefix: 'p/c/' }]);
    const seen: unknown[] = [];
    let token: string | undefined;
    do {
      const page = await list({ Prefix: 'p/', Delimiter: '/', MaxKeys: 1, ContinuationToken: token });
      expect(page.KeyCount).toBe(1);
      seen.push(page.Contents?.[0]?.Key ?? page.CommonPrefixes?.[0]?.Prefix);
      token = page.NextContinuationToken;
    } while (token);
    expect(seen).toEqual(['p/a', 'p/b/', 'p/c/', 'p/d']);
  });
});

describe('a multipart upload', () => {
  it('puts parts together in their order', async () => {
    const { s3, get } = await setUp();
    const target = { Bucket, Key: 'big' };
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...target, ContentType: 'text/plain' }));
    const part = async (PartNumber: number, Body: Buffer) => {
      const { ETag, ChecksumCRC32 } = await s3.send(new UploadPartCommand({ ...target, UploadId, PartNumber, Body }));
      return { PartNumber, ETag, ChecksumCRC32 };
    };
    const second = await part(2, Buffer.from('end'));
    const first = await part(1, Buffer.alloc(5 * 1024 ** 2, 'a'));
    expect((await s3.send(new ListPartsCommand({ ...target, UploadId }))).Parts).toMatchObject([
      { Size: 5 * 1024 ** 2 },
      { Size: 3 },
    ]);
    const complete = (Parts: object[]) =>
      s3.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }));
    await expect(complete([second, first])).rejects.toMatchObject({ name: 'InvalidPartOrder' });
    await expect(complete([first, { PartNumber: 3, ETag: '"x"' }])).rejects.toMatchObject({ name: 'InvalidPart' });
    expect((await complete([first, second])).ETag).toMatch(/-2"$/);
    const whole = await get('big');
    expect(whole).toMatchObject({ ContentLength: 5 * 1024 ** 2 + 3, ContentType: 'text/plain' });
    expect((await whole.Body!.transformToString()).slice(-4)).toBe('aend');
  });
});

describe('a presigned URL', () => {
  const presign = async (command: GetObjectCommand | PutObjectCommand, expiresIn = 60) => {
    const embedded = await setUp();
    const signer = client(S3Client, embedded.wire, {
      forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED',
    });
    const signingDate = new Date(embedded.clock.now());
    return { ...embedded, url: await getSignedUrl(signer, command as GetObjectCommand, { expiresIn, signingDate }) };
  };

  it('reads until it expires', async () => {
    const { url, put, fetchUrl, clock } = await presign(
      new GetObjectCommand({ Bucket, Key: 'a b', ResponseContentType: 'text/html' }),
    );
    await put('a b', 'x');
    const answer = await fetchUrl('GET', url);
    expect([answer.status, String(answer.body), answer.headers['content-type']]).toEqual([200, 'x', 'text/html']);
    clock.step(clock.now() + 60_001);
    const late = await fetchUrl('GET', url);
    expect([late.status, late.body]).toEqual([403, expect.stringContaining('<Message>Request has expired</Message>')]);
  });

  it('writes what it was made for, and nothing else', async () => {
    const { url, text, fetchUrl } = await presign(
      new PutObjectCommand({ Bucket, Key: 'a', ContentType: 'text/plain' }),
    );
    expect((await fetchUrl('PUT', url, 'hello', { 'content-type': 'text/plain' })).status).toBe(200);
    expect(await text('a')).toBe('hello');
    for (const answer of [await fetchUrl('PUT', url.replace('/a?', '/b?'), 'x'), await fetchUrl('DELETE', url)]) {
      expect(answer.status).toBe(403);
      expect(answer.body).toContain('<Code>SignatureDoesNotMatch</Code>');
    }
  });

  it('is needed by a caller without a signature', async () => {
    const { fetchUrl } = await setUp();
    const answer = await fetchUrl('GET', `http://localhost/${Bucket}/a`);
    expect([answer.status, answer.body]).toEqual([403, expect.stringContaining('<Code>AccessDenied</Code>')]);
  });
});

it('answers injected faults in its own format', async () => {
  const { environment, get } = await setUp();
  environment.faults.add(() => ({
    kind: 'error',
    code: 'SlowDown',
    message: 'Please reduce your request rate.',
    status: 503,
  }));
  await expect(get('a')).rejects.toMatchObject({ name: 'SlowDown', $metadata: { httpStatusCode: 503 } });
});

describe('with a folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rouse-s3-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('keeps large objects in files and all of them over a restart', async () => {
    let store = await SqliteStore.open(folder);
    const large = 'x'.repeat(65_537);
    const before = await setUp(store);
    await before.put('large', large);
    await before.put('small', 'y');
    await before.put('large', large);
    store.close();
    expect(readdirSync(join(folder, 'objects'))).toHaveLength(1);
    store = await SqliteStore.open(folder);
    const after = await setUp(store);
    expect(await after.text('large')).toBe(large);
    expect(await after.text('small')).toBe('y');
    store.close();
  });

  it('answers HEAD over HTTP with the length of the object', async () => {
    const { wire, put } = await setUp();
    await put('a', 'hello');
    const server = await listen((request) => wire.handle(request), 0);
    const s3 = new S3Client({
      region: 'us-east-1',
      endpoint: `http://127.0.0.1:${server.port}`,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    });
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'a' }))).ContentLength).toBe(5);
    await s3.send(new PutObjectCommand({ Bucket, Key: 'b', Body: Readable.from(['12', '3']), ContentLength: 3 }));
    expect(await (await s3.send(new GetObjectCommand({ Bucket, Key: 'b' }))).Body!.transformToString()).toBe('123');
    s3.destroy();
    await server.close();
  });
});
