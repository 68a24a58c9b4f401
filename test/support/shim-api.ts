import type { InProcessStack } from './in-process-stack.ts';

/** Answers of the API that mean: exit at once. */
export class Displaced extends Error {}
export class FenceLost extends Error {}
/** Any other refusal. */
export class Refused extends Error {}

const mostTries = 50;
/** Without a pause time stands still, and what each try takes of AWS's rates does not come back. */
const mostTriesAtOnce = 20;
/** Larger outputs go to S3; see the enrolment. */
const maxInlineBytes = 65_536;

/** What a simulated shim's requests meet on their way. */
export interface Network {
  /** What becomes of a request; it may take its time. @default it comes through */
  fate?: ((route: string) => Promise<'request_lost' | 'answer_lost' | undefined>) | undefined;
  /** How long to wait before a request is tried again. @default not at all */
  pause?: ((tries: number) => Promise<void>) | undefined;
  /** A dead shim says nothing, and hears nothing. */
  isUp(): boolean;
}

/** The runtime API, as a shim calls it. */
export class ShimApi {
  token: string | undefined;
  private readonly stack: InProcessStack;
  private readonly network: Network;

  constructor(stack: InProcessStack, network: Network) {
    this.stack = stack;
    this.network = network;
  }

  post<T>(route: string, body: unknown, idempotencyKey?: string): Promise<T> {
    return this.ask('POST', route, body, idempotencyKey);
  }

  /**
   * Asks until there is an answer: network errors, 429 and 5xx are tried again.
   * @throws FenceLost
   * @throws Displaced
   * @throws Refused
   */
  async ask<T>(method: string, route: string, body?: unknown, idempotencyKey?: string): Promise<T> {
    for (let tries = 0; ; tries++) {
      if (tries > 0) await this.network.pause?.(tries);
      const fate = await this.network.fate?.(route);
      if (!this.network.isUp()) return new Promise(() => {});
      const answer = fate === 'request_lost' ? undefined : await this.request(method, route, body, idempotencyKey);
      if (!this.network.isUp()) return new Promise(() => {});
      const { status, result } = fate === 'answer_lost' || !answer ? { status: 503, result: {} } : answer;
      if (status < 300) return result as T;
      if (result.code === 'fence_lost') throw new FenceLost(result.detail);
      if (status === 401 || result.code === 'runtime_replaced') throw new Displaced(JSON.stringify(result));
      if (status < 500 && status !== 429)
        throw new Refused(`The runtime API refused ${route} with ${status}: ${JSON.stringify(result)}`);
      if (tries > (this.network.pause ? mostTries : mostTriesAtOnce))
        throw new Error(`The runtime API does not answer ${route}: ${JSON.stringify(result)}`);
    }
  }

  /** An output as it is completed with: itself, or where it was put because it is large. */
  async deliver(task: { id: string; fence: number; place: string }, output: unknown): Promise<Record<string, unknown>> {
    const json = JSON.stringify(output);
    const bytes = Buffer.byteLength(json);
    if (bytes <= maxInlineBytes) return { output };
    const { id, fence, place } = task;
    const { key, url } = await this.post<{ key: string; url: string }>(`outputs/${id}`, { fence, place, bytes });
    const { pathname: path, search, host, searchParams } = new URL(url);
    const request = { method: 'PUT', path, query: Object.fromEntries(searchParams), rawQuery: search.slice(1) };
    await this.stack.aws.handle({
      ...request,
      headers: { host, 'content-type': 'application/json' },
      body: Buffer.from(json),
    });
    return { outputRef: { key, bytes } };
  }

  private async request(method: string, route: string, body: unknown, idempotencyKey?: string) {
    const headers: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
    if (this.token !== undefined) headers.authorization = `Bearer ${this.token}`;
    const answer = await this.stack.send({
      method,
      path: `/v1/runtime/${route}`,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    const text = Buffer.from(answer.body).toString();
    return { status: answer.status, result: text === '' ? {} : JSON.parse(text) };
  }
}

/** What `ctx.send()` of a module does. @param n which message of the attempt it is */
export function sendFrom(
  shim: Pick<ShimApi, 'post'>,
  { id: taskId, fence, place }: { id: string; fence: number; place: string },
  n: number,
  message: object,
): Promise<{ id: string; taskId: string }> {
  return shim.post('messages', { ...message, taskId, fence, place }, `${taskId}-${fence}-${n}`);
}
