import type { WireRequest } from '../../service.ts';
import type { HttpAnswer } from '../../transport.ts';
import type { RouteMatch } from './routes.ts';

export interface PayloadContext {
  accountId: string;
  apiId: string;
  requestId: string;
  nowMs: number;
}

const textual = /^(text\/|application\/(json|javascript|xml)\b|[^;]+\+(json|xml)\b)/i;

/** The event of payload format 2.0. */
export function requestEvent(request: WireRequest, match: RouteMatch, context: PayloadContext): unknown {
  const { cookie, ...headers } = request.headers;
  const query: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.query))
    query[name] = Array.isArray(value) ? value.join(',') : value;
  const type = headers['content-type'];
  const isText = type === undefined || textual.test(type);
  const body = Buffer.from(request.body);
  return {
    version: '2.0',
    routeKey: match.route.key,
    rawPath: request.path,
    rawQueryString: request.rawQuery,
    ...(cookie ? { cookies: cookie.split('; ') } : {}),
    headers,
    ...(Object.keys(query).length > 0 ? { queryStringParameters: query } : {}),
    ...(match.pathParameters ? { pathParameters: match.pathParameters } : {}),
    requestContext: {
      accountId: context.accountId,
      apiId: context.apiId,
      domainName: headers.host ?? 'localhost',
      domainPrefix: (headers.host ?? 'localhost').split('.')[0],
      http: {
        method: request.method,
        path: request.path,
        protocol: 'HTTP/1.1',
        sourceIp: '127.0.0.1',
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: context.requestId,
      routeKey: match.route.key,
      stage: '$default',
      time: apacheTime(context.nowMs),
      timeEpoch: context.nowMs,
    },
    ...(body.length > 0 ? { body: body.toString(isText ? 'utf8' : 'base64') } : {}),
    isBase64Encoded: body.length > 0 && !isText,
  };
}

/** `12/Mar/2020:19:03:58 +0000` */
function apacheTime(nowMs: number): string {
  const [, day, month, year, time] = /^\w+, (\d+) (\w+) (\d+) ([\d:]+)/.exec(new Date(nowMs).toUTCString())!;
  return `${day}/${month}/${year}:${time} +0000`;
}

interface StructuredAnswer {
  statusCode: number;
  headers?: Record<string, string | number | boolean>;
  cookies?: string[];
  body?: string;
  isBase64Encoded?: boolean;
}

/**
 * Renders what a function answered: with a `statusCode` as it says, anything else as JSON with 200.
 * Undefined when it is not a valid answer, which API Gateway turns into a 500.
 */
export function functionAnswer(payload: string): HttpAnswer | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(payload);
  } catch {
    return undefined;
  }
  if (!isStructured(answer)) {
    const body = typeof answer === 'string' ? answer : payload;
    return { status: 200, headers: { 'content-type': 'application/json' }, body };
  }
  const status = Number(answer.statusCode);
  if (!Number.isInteger(status) || status < 100 || status > 599) return undefined;
  if (answer.body !== undefined && answer.body !== null && typeof answer.body !== 'string') return undefined;
  const headers: Record<string, string | string[]> = { 'content-type': 'text/plain;charset=UTF-8' };
  for (const [name, value] of Object.entries(answer.headers ?? {})) headers[name.toLowerCase()] = String(value);
  if (answer.cookies?.length) headers['set-cookie'] = answer.cookies;
  const body = answer.body ?? '';
  return { status, headers, body: answer.isBase64Encoded ? Buffer.from(body, 'base64') : body };
}

function isStructured(answer: unknown): answer is StructuredAnswer {
  return typeof answer === 'object' && answer !== null && 'statusCode' in answer;
}
