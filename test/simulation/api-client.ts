import type { Random } from './random.ts';
import type { World } from './world.ts';

export interface Answer {
  status: number;
  headers: Record<string, string | string[]>;
  // biome-ignore lint/suspicious/noExplicitAny: any resource, or a problem
  body: any;
}

interface Request {
  method: string;
  path: string;
  body?: unknown;
  /** Of an Idempotency-Key: what is asked again is then the same request. */
  key?: string;
}

const mostTries = 8;

/**
 * A client of the API that does what good clients do: it asks again when there was no answer, under the same
 * Idempotency-Key, with a growing pause.
 */
export class ApiClient {
  private readonly world: World;
  private readonly random: Random;
  private requests = 0;

  constructor(world: World, random: Random) {
    this.world = world;
    this.random = random;
  }

  get(path: string): Promise<Answer | undefined> {
    return this.ask({ method: 'GET', path });
  }

  /** @returns the first answer that is one, or undefined: nobody knows then whether anything has happened */
  async ask(request: Request): Promise<Answer | undefined> {
    const key = request.key ?? (request.method === 'POST' ? `key-${this.random.next()}-${this.requests++}` : undefined);
    for (let tries = 0; tries < mostTries; tries++) {
      if (tries > 0) await this.world.sleep(this.random.between(0, 500 * 2 ** tries));
      const answer = await this.once({ ...request, ...(key === undefined ? {} : { key }) });
      const again = answer === undefined || answer.status >= 500 || answer.status === 429 || isUnderWay(answer);
      if (!again) return answer;
    }
    return undefined;
  }

  private async once({ method, path, body, key }: Request): Promise<Answer | undefined> {
    const { world } = this;
    const fate = await this.fate();
    if (fate === 'request_lost') return undefined;
    const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key };
    const answer: Answer = await world.stack.request(method, path, body, headers);
    const code = answer.status >= 400 ? ` ${answer.body?.code ?? answer.body?.message}` : '';
    const named = answer.body?.id && !path.includes(answer.body.id) ? ` ${answer.body.id}` : '';
    world.tell(`client ${method} ${path} → ${answer.status}${code}${named}${fate ? ' (the answer is lost)' : ''}`);
    this.check(method, path, answer);
    return fate === 'answer_lost' ? undefined : answer;
  }

  /** What the network does to one request. */
  private async fate(): Promise<'request_lost' | 'answer_lost' | undefined> {
    const { world, random } = this;
    if (world.calm || !world.plan.faults.includes('network')) return undefined;
    if (random.chance(0.02)) return 'request_lost';
    return random.chance(0.02) ? 'answer_lost' : undefined;
  }

  /** Every error is a problem that says what it is, and none is ours unless something went wrong. */
  private check(method: string, path: string, { status, headers, body }: Answer): void {
    const { world } = this;
    const isOurs = String(headers['content-type'] ?? '').startsWith('application/problem+json');
    if (status >= 400 && status < 500 && !(isOurs && body?.code && body?.detail))
      world.fail(`${method} ${path} was refused with ${status} without a problem: ${JSON.stringify(body)}`);
    if (status >= 500 && world.plan.faults.length === 0)
      world.fail(`${method} ${path} was answered with ${status} although nothing went wrong: ${JSON.stringify(body)}`);
  }
}

/** The first request with this Idempotency-Key runs still, or died: its row is free again after a while. */
function isUnderWay({ status, body }: Answer): boolean {
  return status === 409 && (body?.code === 'idempotency_in_progress' || body?.code === 'conflict');
}
