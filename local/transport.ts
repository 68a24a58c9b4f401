import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import type { WireRequest, WireResponse } from './service.ts';
import { ConnectionLost } from './wire.ts';

export type Handle = (request: WireRequest) => Promise<WireResponse>;

/** A {@link WireResponse} whose headers may repeat (`set-cookie` of the HTTP API). */
export interface HttpAnswer {
  status: number;
  headers: Record<string, string | string[]>;
  body: Uint8Array | string;
}
export type HttpHandle = (request: WireRequest) => Promise<HttpAnswer>;

/** The parts of an SDK request that the in-process transport reads. */
interface SdkRequest {
  method: string;
  path: string;
  query?: Record<string, string | string[] | null>;
  headers: Record<string, string>;
  body?: unknown;
}

/**
 * A `requestHandler` for SDK clients in the same process: same bytes as over HTTP, without the sockets.
 * `around` sees each exchange, so that tests can crash a caller before or after it.
 */
export function inProcessHandler(
  handle: Handle,
  around?: (exchange: () => Promise<WireResponse>, request: WireRequest) => Promise<WireResponse>,
) {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle(sdkRequest: SdkRequest) {
      const request = await fromSdk(sdkRequest);
      const answer = around ? await around(() => handle(request), request) : await handle(request);
      return { response: { statusCode: answer.status, headers: answer.headers, body: bodyForSdk(answer) } };
    },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
    destroy() {},
  };
}

/** Clients of a JSON protocol read bytes, which is quicker; others may give their callers the stream. */
function bodyForSdk({ headers, body }: WireResponse): Uint8Array | Readable {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return headers['content-type']?.startsWith('application/x-amz-json')
    ? bytes
    : Readable.from(bytes.length ? [bytes] : []);
}

async function fromSdk(request: SdkRequest): Promise<WireRequest> {
  const query: Record<string, string | string[]> = {};
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(request.query ?? {})) {
    query[name] = value ?? '';
    for (const one of Array.isArray(value) ? value : [value]) {
      pairs.push(one === null ? encodeURIComponent(name) : `${encodeURIComponent(name)}=${encodeURIComponent(one)}`);
    }
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) headers[name.toLowerCase()] = value;
  return {
    method: request.method,
    path: request.path,
    query,
    rawQuery: pairs.join('&'),
    headers,
    body: await bytes(request.body),
  };
}

async function bytes(body: unknown): Promise<Uint8Array> {
  if (body === undefined || body === null) return new Uint8Array();
  if (typeof body === 'string') return Buffer.from(body);
  // The SDK's own kind of Uint8Array turns into a string, with a warning, when it is read as an object.
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  const chunks: Buffer[] = [];
  for await (const chunk of body as AsyncIterable<Uint8Array | string>) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** Serves `handle` over HTTP on the loopback. `port` 0 takes any free one. */
export async function listen(handle: HttpHandle, port: number): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((incoming, outgoing) => void exchange(handle, incoming, outgoing));
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server) };
}

async function exchange(handle: HttpHandle, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const answer = await handle(fromHttp(incoming, Buffer.concat(chunks)));
    outgoing.writeHead(answer.status, { 'content-length': Buffer.byteLength(answer.body), ...answer.headers });
    outgoing.end(incoming.method === 'HEAD' ? undefined : answer.body);
  } catch (error) {
    if (!(error instanceof ConnectionLost)) console.error(error);
    incoming.socket.destroy();
  }
}

export function fromHttp(incoming: IncomingMessage, body: Uint8Array): WireRequest {
  const url = incoming.url ?? '/';
  const mark = url.indexOf('?');
  const rawQuery = mark < 0 ? '' : url.slice(mark + 1);
  const query: Record<string, string | string[]> = {};
  for (const [name, value] of new URLSearchParams(rawQuery)) {
    const before = query[name];
    query[name] = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers))
    headers[name] = Array.isArray(value) ? value.join(', ') : (value ?? '');
  return {
    method: incoming.method ?? 'GET',
    path: mark < 0 ? url : url.slice(0, mark),
    query,
    rawQuery,
    headers,
    body,
  };
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
