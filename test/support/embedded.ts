import { onTestFinished } from 'vitest';
import { Activity } from '../../local/activity.ts';
import { type Clock, ManualClock } from '../../local/clock.ts';
import { CredentialRegistry, localAdministrator } from '../../local/credentials.ts';
import { EmbeddedAws, type EmbeddedAwsOptions } from '../../local/embedded-aws.ts';
import { Faults } from '../../local/faults.ts';
import type { Environment, Service } from '../../local/service.ts';
import { MemoryStore, type Store, type StoredMap } from '../../local/store.ts';
import { inProcessHandler } from '../../local/transport.ts';
import { Wire } from '../../local/wire.ts';

/** What the embedded AWS's services are built from, in memory, with a clock that stands still. */
export function makeEnvironment<C extends Clock = ManualClock>(
  options: { clock?: C; store?: Store } = {},
): Environment & { clock: C } {
  const clock = options.clock ?? (new ManualClock() as unknown as C);
  const store = options.store ?? new MemoryStore();
  const accountId = '000000000000';
  return {
    region: 'us-east-1',
    accountId,
    clock,
    store,
    faults: new Faults(),
    credentials: new CredentialRegistry(store, clock, accountId),
    activity: new Activity(),
    endpoint: () => undefined,
    log: () => {},
  };
}

/** An embedded AWS for one test. */
export async function startEmbeddedAws(options: EmbeddedAwsOptions = {}): Promise<EmbeddedAws> {
  const aws = await EmbeddedAws.create({ clock: new ManualClock(), ...options });
  onTestFinished(() => aws.close());
  return aws;
}

export function makeWire(environment: Environment, ...services: Service[]): Wire {
  const wire = new Wire(environment);
  for (const service of services) wire.register(service);
  return wire;
}

/** An SDK client that talks to `wire` in the same process; it tries once. */
export function client<T, O extends object>(
  Client: new (configuration: O) => T,
  wire: Wire,
  configuration: Partial<O> = {},
): T {
  return new Client({
    region: 'us-east-1',
    endpoint: 'http://aws.localhost',
    credentials: localAdministrator,
    maxAttempts: 1,
    requestHandler: inProcessHandler(wire.handle.bind(wire)),
    ...configuration,
  } as unknown as O);
}

/** Keeps its maps, so that a second service made from it finds what the first has left, as after a restart. */
export class KeptStore extends MemoryStore {
  private readonly maps = new Map<string, StoredMap<unknown>>();

  override map<T>(name: string): StoredMap<T> {
    if (!this.maps.has(name)) this.maps.set(name, super.map(name));
    return this.maps.get(name) as StoredMap<T>;
  }
}

/** Calls a service with an `X-Amz-Target` protocol without an SDK client. Returns the status and the answer. */
export async function callTarget(
  wire: Wire,
  target: string,
  input: object,
): Promise<{ status: number } & Record<string, unknown>> {
  const headers = {
    'x-amz-target': target,
    authorization: 'AWS4-HMAC-SHA256 Credential=local/20270104/us-east-1/x/aws4_request',
  };
  const body = Buffer.from(JSON.stringify(input));
  const answer = await wire.handle({ method: 'POST', path: '/', query: {}, rawQuery: '', headers, body });
  return { status: answer.status, ...JSON.parse(String(answer.body)) };
}
