import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import type { Clock, Timer } from '../../local/clock.ts';
import { Random } from './random.ts';

/**
 * Takes time and chance out of this thread: while a realm is entered, `Date`, `Math.random`, `node:crypto`'s random
 * values, `setTimeout` and `setInterval` come from its clock and its seed, also for the AWS SDK and whatever else asks
 * for them. Import this module before all others, since some remember a function when they are loaded.
 */
export class Realm {
  private readonly clock: Clock;
  private readonly random: Random;

  private constructor(clock: Clock, seed: string) {
    this.clock = clock;
    this.random = new Random(seed);
  }

  static enter(clock: Clock, seed: string): Realm {
    current = new Realm(clock, seed);
    return current;
  }

  static leave(): void {
    current = undefined;
  }

  /** Resolves when nothing can go on before the clock moves: no callback is due, no promise is about to resolve. */
  async quiet(): Promise<void> {
    do await new Promise<void>((resolve) => real.setImmediate(resolve));
    while (immediates > 0);
  }

  now(): number {
    return this.clock.now();
  }

  number(): number {
    return this.random.next();
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i++) bytes[i] = this.random.int(256);
    return bytes;
  }

  at(delayMs: number, fn: () => void): Timer {
    return this.clock.at(this.clock.now() + Math.max(0, delayMs), fn);
  }
}

let current: Realm | undefined;
let immediates = 0;

const real = {
  Date,
  random: Math.random,
  setImmediate,
  clearImmediate,
  setTimeout,
  clearTimeout,
  setInterval,
  clearInterval,
  randomBytes: crypto.randomBytes,
  randomUUID: crypto.randomUUID,
  randomInt: crypto.randomInt,
  getRandomValues: crypto.webcrypto.getRandomValues.bind(crypto.webcrypto),
};

/** A timer of the realm's clock, in the shape of Node's. */
class RealmTimeout {
  timer: Timer | undefined;
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  hasRef(): boolean {
    return false;
  }
  [Symbol.dispose](): void {
    this.timer?.cancel();
  }
}

type Callback = (...args: unknown[]) => void;

function timeout(callback: Callback, delayMs = 0, ...args: unknown[]) {
  if (!current) return real.setTimeout(callback, delayMs, ...args);
  const handle = new RealmTimeout();
  handle.timer = current.at(delayMs, () => callback(...args));
  return handle;
}

function interval(callback: Callback, delayMs = 0, ...args: unknown[]) {
  if (!current) return real.setInterval(callback, delayMs, ...args);
  const handle = new RealmTimeout();
  const arm = () => {
    handle.timer = current?.at(Math.max(1, delayMs), () => {
      arm();
      callback(...args);
    });
  };
  arm();
  return handle;
}

function clear(handle: unknown): void {
  if (handle instanceof RealmTimeout) handle.timer?.cancel();
  else real.clearTimeout(handle as NodeJS.Timeout);
}

/** Counted, so that a realm knows when nothing is due any more. */
function immediate(callback: Callback, ...args: unknown[]) {
  if (!current) return real.setImmediate(callback, ...args);
  immediates += 1;
  return real.setImmediate(() => {
    immediates -= 1;
    callback(...args);
  });
}

function uuid(): string {
  if (!current) return real.randomUUID();
  const hex = current.bytes(16).toString('hex');
  const variant = '89ab'[Number.parseInt(hex[16]!, 16) % 4];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

function fill<T extends ArrayBufferView>(view: T): T {
  if (!current) return real.getRandomValues(view as never) as unknown as T;
  Buffer.from(view.buffer, view.byteOffset, view.byteLength).set(current.bytes(view.byteLength));
  return view;
}

function randomInt(...args: [number] | [number, number]): number {
  if (!current) return real.randomInt(...(args as [number, number]));
  const [min, max] = args.length === 1 ? [0, args[0]] : args;
  return min + Math.floor(current.number() * (max - min));
}

Object.assign(globalThis, {
  Date: new Proxy(Date, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 && current ? [current.now()] : args, newTarget),
    get: (target, name) =>
      name === 'now' ? () => (current ? current.now() : real.Date.now()) : Reflect.get(target, name),
  }),
  setTimeout: timeout,
  clearTimeout: clear,
  setInterval: interval,
  clearInterval: clear,
  setImmediate: immediate,
});
Math.random = () => (current ? current.number() : real.random());
Object.assign(crypto, {
  randomBytes: (length: number) => (current ? current.bytes(length) : real.randomBytes(length)),
  randomUUID: uuid,
  randomInt,
});
Object.assign(crypto.webcrypto, { getRandomValues: fill, randomUUID: uuid });
syncBuiltinESMExports();
