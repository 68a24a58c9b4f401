import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** As much of S3's wire protocol as the shim speaks: PUT, GET and multipart uploads, path style. */
export class BucketServer {
  readonly objects = new Map<string, Buffer>();
  /** The key of every object that was written, in order. */
  readonly written: string[] = [];
  multipartUploads = 0;
  failWrites = false;
  contentType = 'text/plain';
  readonly #parts = new Map<string, Buffer>();

  serve(request: IncomingMessage, body: Buffer, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://bucket');
    const key = decodeURIComponent(url.pathname.slice('/bucket/'.length));
    const part = url.searchParams.get('partNumber');
    if (request.method === 'GET') {
      const object = this.objects.get(key);
      response.writeHead(object ? 200 : 404, { 'content-type': object ? this.contentType : 'application/xml' });
      response.end(object ?? '<Error><Code>NoSuchKey</Code><Message>No such key.</Message></Error>');
    } else if (this.failWrites) {
      response.writeHead(403, { 'content-type': 'application/xml' });
      response.end('<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>');
    } else if (url.searchParams.has('uploads')) {
      this.multipartUploads++;
      xml(response, `<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>`);
    } else if (part !== null) {
      this.#parts.set(part.padStart(5, '0'), body);
      response.writeHead(200, { etag: `"${createHash('md5').update(body).digest('hex')}"` });
      response.end();
    } else if (request.method === 'POST') {
      this.#put(key, Buffer.concat([...this.#parts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, piece]) => piece)));
      this.#parts.clear();
      xml(response, '<CompleteMultipartUploadResult></CompleteMultipartUploadResult>');
    } else {
      this.#put(key, body);
      response.writeHead(200, { etag: '"etag"' });
      response.end();
    }
  }

  #put(key: string, body: Buffer): void {
    this.objects.set(key, body);
    this.written.push(key);
  }
}

function xml(response: ServerResponse, body: string): void {
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(`<?xml version="1.0"?>${body}`);
}
