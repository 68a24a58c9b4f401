import { RouseError, tooLarge } from '../domain/errors.ts';
import { isDeeperThan } from './canonical-json.ts';

/** What the router reads of an event of an HTTP API (payload format 2.0). */
export interface HttpEvent {
  rawPath: string;
  rawQueryString?: string;
  /** Names in lower case; repeated headers are joined with commas. */
  headers?: Record<string, string | undefined>;
  requestContext: { requestId: string; http: { method: string } };
  body?: string;
  isBase64Encoded?: boolean;
}

/** A structured result for an HTTP API (payload format 2.0). */
export interface HttpResult {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
  isBase64Encoded?: boolean;
}

export const maxBodyBytes = 1024 * 1024;
/** Nobody nests deeper by hand, and what walks over JSON by recursion must not run out of stack. */
const maxDepth = 64;

/** The query's parameters; a repeated one is an array. */
export function queryOf(event: HttpEvent): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = Object.create(null);
  const parameters = new URLSearchParams(event.rawQueryString ?? '');
  for (const name of new Set(parameters.keys())) {
    const values = parameters.getAll(name);
    query[name] = values.length === 1 ? values[0]! : values;
  }
  return query;
}

/**
 * The body as a JSON value; an empty one is `{}`.
 *
 * @throws RouseError too_large, unsupported_media_type, malformed_json, invalid (nested too deeply)
 */
export function bodyOf(event: HttpEvent): unknown {
  const bytes = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
  if (bytes.byteLength > maxBodyBytes) throw tooLarge('The body', bytes.byteLength, maxBodyBytes);
  if (bytes.byteLength === 0) return {};
  const received = event.headers?.['content-type'];
  if (received?.split(';')[0]?.trim().toLowerCase() !== 'application/json') {
    const detail = `Received content type ${received ? `"${received.slice(0, 100)}"` : 'none'}; application/json is allowed.`;
    throw new RouseError('unsupported_media_type', detail);
  }
  const value = parseJson(bytes);
  if (isDeeperThan(value, maxDepth)) {
    const message = `The body is nested deeper than the ${maxDepth} levels that are allowed.`;
    throw new RouseError('invalid', message, { issues: [{ path: '', message }] });
  }
  return value;
}

function parseJson(bytes: Buffer): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new RouseError('malformed_json', 'The body is not UTF-8.');
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RouseError('malformed_json', `The body is not valid JSON: ${jsonFault(text, error)}.`);
  }
}

/** V8's own sentence, which names the position or quotes the place; a body cut short gets its length. */
function jsonFault(text: string, error: unknown): string {
  const sentence = error instanceof Error ? error.message : String(error);
  if (sentence.startsWith('Unexpected end')) return `it ends too early, after ${text.length} characters`;
  const quoted = sentence.replace(/ is not valid JSON$/, '').replaceAll(/\s+/g, ' ');
  return quoted.charAt(0).toLowerCase() + quoted.slice(1);
}

/**
 * @returns the key, or undefined if the header is absent
 * @throws RouseError bad_request unless it has 1 to 255 visible ASCII characters
 */
export function idempotencyKeyOf(event: HttpEvent): string | undefined {
  const key = event.headers?.['idempotency-key'];
  if (key === undefined || /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  const detail = `Received an Idempotency-Key of ${key.length} characters; 1 to 255 visible ASCII characters are allowed.`;
  throw new RouseError('bad_request', detail);
}

/**
 * @returns the token of `Authorization: Bearer <token>`
 * @throws RouseError unauthorized
 */
export function bearerOf(event: HttpEvent): string {
  const header = event.headers?.authorization;
  if (!header) {
    throw new RouseError('unauthorized', 'The Authorization header is missing; send "Authorization: Bearer <key>".');
  }
  const token = /^Bearer +([\x21-\x7e]{1,4096}) *$/i.exec(header)?.[1];
  if (token) return token;
  throw new RouseError('unauthorized', 'The Authorization header is not of the form "Bearer <key>".');
}
