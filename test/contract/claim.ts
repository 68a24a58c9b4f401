/**
 * One claim about one operation of a service, as AWS documents it. It holds on the embedded AWS in every `npm test`, and
 * on other backends but for what `deviations.ts` lists: there it must fail, or the list is out of date.
 */
import { describe, it, onTestFinished } from 'vitest';
import { type Backend, backend, backendName } from './backend.ts';
import { deviations } from './deviations.ts';

export interface World extends Backend {
  /** A name that no other claim uses. */
  unique(prefix: string): string;
  /** Does something when the claim is decided, the last first. What fails then is nobody's business. */
  later(effect: () => Promise<unknown>): void;
}

/** Longer than any claim waits: a server that polls may take its time. */
const timeoutMs = 60_000;
const run = `${Date.now().toString(36)}${process.pid.toString(36)}`;
let names = 0;

/** Claims about operations of one service. */
export function contract(service: string, claims: (claim: Claim) => void): void {
  describe(service, () => {
    claims((operation, text, holds) => {
      const known = deviations[backendName]?.[`${service} ${operation}: ${text}`];
      const test = known ? it.fails : it;
      test(`${operation}: ${text}`, { timeout: timeoutMs }, async () => holds(await world()));
    });
  });
}

type Claim = (operation: string, text: string, holds: (world: World) => Promise<void>) => void;

async function world(): Promise<World> {
  const effects: (() => Promise<unknown>)[] = [];
  onTestFinished(async () => {
    for (const effect of effects.reverse()) await effect().catch(() => {});
  });
  return {
    ...(await backend()),
    unique: (prefix) => `${prefix}-${run}-${++names}`,
    later: (effect) => void effects.push(effect),
  };
}
