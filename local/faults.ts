import { AwsError } from './errors.ts';

/** One call about to be answered by the embedded AWS. */
export interface Call {
  /** Signing name, such as `dynamodb`. */
  service: string;
  operation: string;
  input: Record<string, unknown>;
  /** ARN of the caller's role session or user, or undefined for an unsigned call. */
  principal: string | undefined;
}

/**
 * What goes wrong with one call.
 * - `error`: refused before it takes effect; `after: true` refuses it once it has taken effect (a time-out's twin)
 * - `delay`: answered later by so much
 * - `drop`: the connection breaks, before or after the effect
 */
export type Fault =
  | { kind: 'error'; code: string; message?: string; status?: number; after?: boolean }
  | { kind: 'delay'; delayMs: number }
  | { kind: 'drop'; after?: boolean };

/** Decides whether a call goes wrong. Rules are asked in order; the first fault wins. */
export type FaultRule = (call: Call) => Fault | undefined;

/** Delivery faults: how often a message, an event or a stream record is delivered (0 = lost), and how late. */
export interface Delivery {
  source: 'sqs' | 'events' | 'scheduler' | 'stream';
  target: string;
  body: unknown;
}
export type DeliveryRule = (delivery: Delivery) => { copies?: number; delayMs?: number } | undefined;

export class Faults {
  private rules: FaultRule[] = [];
  private deliveryRules: DeliveryRule[] = [];

  /** Adds a rule; the returned function removes it. */
  add(rule: FaultRule): () => void {
    this.rules.push(rule);
    return () => {
      this.rules = this.rules.filter((other) => other !== rule);
    };
  }

  addDelivery(rule: DeliveryRule): () => void {
    this.deliveryRules.push(rule);
    return () => {
      this.deliveryRules = this.deliveryRules.filter((other) => other !== rule);
    };
  }

  of(call: Call): Fault | undefined {
    for (const rule of this.rules) {
      const fault = rule(call);
      if (fault) return fault;
    }
    return undefined;
  }

  ofDelivery(delivery: Delivery): { copies: number; delayMs: number } {
    for (const rule of this.deliveryRules) {
      const found = rule(delivery);
      if (found) return { copies: found.copies ?? 1, delayMs: found.delayMs ?? 0 };
    }
    return { copies: 1, delayMs: 0 };
  }
}

/** The error that AWS sends when a request rate is over its limit. */
export function throttled(): Fault {
  return { kind: 'error', code: 'ThrottlingException', message: 'Rate exceeded', status: 400 };
}

export function faultError(fault: Extract<Fault, { kind: 'error' }>): AwsError {
  return new AwsError(fault.code, fault.message ?? `Injected ${fault.code}.`, fault.status ?? 500);
}
