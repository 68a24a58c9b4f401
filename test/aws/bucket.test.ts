import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { Bucket } from '../../lib/aws/bucket.ts';
import { S3Service } from '../../local/services/s3/service.ts';
import { client, makeEnvironment, makeWire } from '../support/embedded.ts';

async function setUp() {
  const environment = makeEnvironment();
  const s3 = client(S3Client, makeWire(environment, new S3Service(environment)), { forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: 'bucket' }));
  const bucket = new Bucket(s3, 'bucket');
  const keys = async (prefix: string) => {
    const pages: string[][] = [];
    for await (const page of bucket.list(prefix)) pages.push(page);
    return pages;
  };
  return { bucket, keys, environment };
}

describe('an object', () => {
  it('is read as it was put', async () => {
    const { bucket } = await setUp();
    await bucket.put('a/b', '{"ä":1}', 'application/json');
    expect(new TextDecoder().decode(await bucket.get('a/b'))).toBe('{"ä":1}');
    expect(await bucket.head('a/b')).toEqual({ bytes: 8 });
  });

  it('that is not there is undefined', async () => {
    const { bucket } = await setUp();
    expect(await bucket.get('nothing')).toBeUndefined();
    expect(await bucket.head('nothing')).toBeUndefined();
  });

  it('that could not be read is an error, and not missing', async () => {
    const { bucket, environment } = await setUp();
    environment.faults.add(() => ({ kind: 'error', code: 'InternalError', status: 500 }));
    await expect(bucket.get('a')).rejects.toThrow('InternalError');
    await expect(bucket.head('a')).rejects.toThrow();
  });

  it('can be shared by a URL for a while', async () => {
    const { bucket } = await setUp();
    for (const url of [await bucket.presignGet('a/b', 60), await bucket.presignPut('a/b', 60)]) {
      const { pathname, searchParams } = new URL(url);
      expect(pathname).toBe('/bucket/a/b');
      expect(searchParams.get('X-Amz-Expires')).toBe('60');
    }
  });
});

describe('keys', () => {
  it('are listed by prefix, page by page', async () => {
    const { bucket, keys } = await setUp();
    for (let i = 0; i < 1003; i++) await bucket.put(`a/${String(i).padStart(4, '0')}`, 'x', 'text/plain');
    await bucket.put('b/0', 'x', 'text/plain');
    const pages = await keys('a/');
    expect(pages.map((page) => page.length)).toEqual([1000, 3]);
    expect(pages.flat()[1002]).toBe('a/1002');
  });

  it('are deleted, also those that are gone', async () => {
    const { bucket, keys } = await setUp();
    await bucket.put('a', 'x', 'text/plain');
    await bucket.put('b', 'x', 'text/plain');
    await bucket.delete(['a', 'gone']);
    await bucket.delete([]);
    expect((await keys('')).flat()).toEqual(['b']);
  });
});

describe('a copy', () => {
  it('is what the object was, whatever its key is made of', async () => {
    const { bucket } = await setUp();
    await bucket.put('a/ü b+c.txt', 'content', 'text/plain');
    await bucket.copy('a/ü b+c.txt', 'd/e');
    expect(new TextDecoder().decode(await bucket.get('d/e'))).toBe('content');
  });

  it('in parts is put together once, and knows it when it is asked again', async () => {
    const { bucket } = await setUp();
    const part = 5 * 1024 * 1024;
    const body = `${'a'.repeat(part)}${'b'.repeat(100)}`;
    await bucket.put('large', body, 'text/plain');
    const upload = await bucket.startParts('copy');
    const etags = [
      await bucket.copyPart('large', 'copy', upload, 1, { start: 0, end: part }),
      await bucket.copyPart('large', 'copy', upload, 2, { start: part, end: body.length }),
    ];
    expect(await bucket.finishParts('copy', upload, etags, body.length)).toBe(true);
    expect(new TextDecoder().decode(await bucket.get('copy'))).toBe(body);
    // The answer was lost.
    expect(await bucket.finishParts('copy', upload, etags, body.length)).toBe(true);
    expect(await bucket.finishParts('other', 'unknown', etags, body.length)).toBe(false);
  });
});
