import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import type { RecordedEvent } from '../domain/event.ts';

/** EventBridge takes ten entries in one call. */
const batchSize = 10;

/** Rouse's own bus. Custom events cost $1.00 per million, so only types that somebody asked for go there; none by default. */
export class EventBus {
  private readonly client: EventBridgeClient;
  private readonly name: string;
  private readonly types: ReadonlySet<string>;

  constructor(client: EventBridgeClient, name: string, types: readonly string[]) {
    this.client = client;
    this.name = name;
    this.types = new Set(types);
  }

  /** Puts the wanted ones of these on the bus, at least once each. */
  async publish(tenant: string, events: RecordedEvent[]): Promise<void> {
    const wanted = events.filter((event) => this.types.has(event.type));
    for (let i = 0; i < wanted.length; i += batchSize) {
      const Entries = wanted.slice(i, i + batchSize).map((event) => ({
        EventBusName: this.name,
        Source: 'rouse',
        DetailType: event.type,
        Time: new Date(event.timeMs),
        Detail: JSON.stringify({ tenant, ...event }),
      }));
      const answer = await this.client.send(new PutEventsCommand({ Entries }));
      if (answer.FailedEntryCount)
        throw new Error(`EventBridge refused ${answer.FailedEntryCount} of ${Entries.length} events.`);
    }
  }
}
