import type { Call, Fault } from '../../../local/faults.ts';
import type { Random } from '../random.ts';
import type { World } from '../world.ts';
import { Episodes, type FaultKind, services } from './fault.ts';

/** How each service says that it is asked too often. */
const throttles: Record<string, { code: string; status: number }> = {
  dynamodb: { code: 'ThrottlingException', status: 400 },
  sqs: { code: 'RequestThrottled', status: 400 },
  s3: { code: 'SlowDown', status: 503 },
  ecs: { code: 'ThrottlingException', status: 400 },
  sts: { code: 'Throttling', status: 400 },
  ssm: { code: 'ThrottlingException', status: 400 },
  events: { code: 'ThrottlingException', status: 400 },
  scheduler: { code: 'ThrottlingException', status: 429 },
};

/** Only what functions and shims call goes wrong: who looks on from outside sees things as they are. */
function onCalls(world: World, decide: (call: Call) => Fault | undefined, tells = true): void {
  world.stack.aws.faults.add((call) => {
    if (world.calm || !call.principal?.includes(':assumed-role/')) return undefined;
    const fault = decide(call);
    if (fault && tells) {
      const { kind } = fault;
      const how = kind === 'error' ? `${fault.code}${fault.after ? ' after it took effect' : ''}` : kind;
      world.tell(`fault: ${call.service} ${call.operation} of ${call.principal.split('/').at(-1)}: ${how}`);
    }
    return fault;
  });
}

/** Every service throttles now and then, and in some minutes a lot. */
function throttle(world: World, random: Random): void {
  const episodes = new Map(
    services.map((service) => [service as string, new Episodes(world, random.fork(service), 1800, 40)]),
  );
  onCalls(world, ({ service }) => {
    const throttle = throttles[service];
    const often = episodes.get(service)?.isOn ? 0.5 : 0.002;
    return throttle && random.chance(often) ? { kind: 'error', ...throttle } : undefined;
  });
}

/** AWS answers 500 or 503, before or after the call took effect. */
function errors(world: World, random: Random): void {
  onCalls(world, ({ service }) => {
    if (service === 'lambda' || !random.chance(0.003)) return undefined;
    const code = service === 'dynamodb' ? 'InternalServerError' : 'InternalFailure';
    return { kind: 'error', code, status: random.pick([500, 503]), after: random.chance(0.3) };
  });
}

/** A write meets a transaction under way at the same row. */
function conflicts(world: World, random: Random): void {
  onCalls(world, ({ service, operation }) =>
    service === 'dynamodb' && /^(Put|Update|Delete)Item$|^Transact/.test(operation) && random.chance(0.01)
      ? { kind: 'error', code: 'TransactionConflictException', status: 400 }
      : undefined,
  );
}

/** The connection breaks, before or after the call took effect. */
function disconnect(world: World, random: Random): void {
  onCalls(world, ({ service }) =>
    service !== 'lambda' && random.chance(0.003) ? { kind: 'drop', after: random.chance(0.6) } : undefined,
  );
}

/** Every call takes its time, and some take long: what happens at once elsewhere happens in between. */
function latency(world: World, random: Random): void {
  const delay = (): Fault => {
    const slow = random.chance(0.004);
    return { kind: 'delay', delayMs: Math.ceil(random.exponential(slow ? 3000 : 12)) };
  };
  onCalls(world, ({ service }) => (service === 'lambda' ? undefined : delay()), false);
}

export const serviceFaults: readonly FaultKind[] = [
  { name: 'throttle', install: throttle },
  { name: 'errors', install: errors },
  { name: 'conflict', install: conflicts },
  { name: 'disconnect', install: disconnect },
  // The last: of several rules the first that finds a fault wins.
  { name: 'latency', install: latency },
];
