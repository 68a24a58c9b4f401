import { ListSchedulesCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { expect } from 'vitest';
import { localAdministrator } from '../../local/credentials.ts';
import type { TestStack } from './stack.ts';

export interface FireResource {
  scheduledTime: string;
  cause: string;
  outcome: string;
  reason: string | null;
  agentId: string | null;
  taskId: string | null;
  runId: string | null;
  result: { status: string; error: { code: string; message: string } | null } | null;
}

export interface ScheduleResource {
  name: string;
  status: string;
  statusReason: string | null;
  enabled: boolean;
  note: string;
  nextFires: string[];
  running: { scheduledTime: string; taskId: string | null; agentId: string | null }[];
  buffered: number;
  backfills: { from: string; to: string; doneUpTo: string }[];
  lastResult: { status: string } | null;
}

/** What the tests say to schedules, in few words. */
export class ScheduleClient {
  /** EventBridge Scheduler itself. */
  readonly scheduler: SchedulerClient;
  private readonly stack: TestStack;

  constructor(stack: TestStack) {
    this.stack = stack;
    this.scheduler = new SchedulerClient({
      region: stack.aws.region,
      credentials: localAdministrator,
      requestHandler: stack.aws.requestHandler(),
    });
  }

  /** How often a delivery of a schedule's time reaches its queue. The returned function ends that. */
  deliver(copies: () => number): () => void {
    return this.stack.aws.faults.addDelivery(({ source, target }) =>
      source === 'scheduler' && target.includes('Triggers') ? { copies: copies() } : undefined,
    );
  }

  /** Names of what EventBridge Scheduler has for a schedule. */
  async alarms(name: string): Promise<string[]> {
    const { Schedules = [] } = await this.scheduler.send(new ListSchedulesCommand({ NamePrefix: `${name}.` }));
    return Schedules.map(({ Name = '' }) => Name);
  }

  put(name: string, body: Record<string, unknown>, status?: number): Promise<ScheduleResource> {
    return this.stack.call('PUT', `/v1/schedules/${name}`, body, status);
  }

  get(name: string): Promise<ScheduleResource> {
    return this.stack.call('GET', `/v1/schedules/${name}`);
  }

  remove(name: string): Promise<unknown> {
    return this.stack.call('DELETE', `/v1/schedules/${name}`, undefined, 204);
  }

  trigger(name: string, body: Record<string, unknown> = {}): Promise<FireResource> {
    return this.stack.call('POST', `/v1/schedules/${name}/trigger`, body, 202);
  }

  post(name: string, verb: string, body: Record<string, unknown> = {}): Promise<ScheduleResource> {
    return this.stack.call('POST', `/v1/schedules/${name}/${verb}`, body);
  }

  /** All fires, earliest first. */
  async fires(name: string): Promise<FireResource[]> {
    const fires: FireResource[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: { items: FireResource[]; nextCursor: string | null } = await this.stack.call(
        'GET',
        `/v1/schedules/${name}/fires?limit=200${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      fires.push(...page.items);
      cursor = page.nextCursor;
    }
    return fires.reverse();
  }

  async outcomes(name: string): Promise<string[]> {
    return (await this.fires(name)).map(({ outcome }) => outcome);
  }

  /** Types of the schedule's events, after their numbers have been seen to be gapless. */
  async events(name: string): Promise<{ type: string; seq: number; data: Record<string, unknown> }[]> {
    type Event = { type: string; seq: number; data: Record<string, unknown> };
    const page = await this.stack.call<{ items: Event[] }>('GET', `/v1/events?schedule=${name}&limit=200`);
    expect(page.items.map(({ seq }) => seq)).toEqual(page.items.map((_, i) => i + 1));
    return page.items;
  }

  async types(name: string): Promise<string[]> {
    return (await this.events(name)).map(({ type }) => type.replace('schedule.', ''));
  }

  /** Waits until a schedule's fire has this result. */
  untilEnded(name: string, count: number, limitSeconds = 300): Promise<number> {
    return this.stack.until(
      async () => (await this.fires(name)).filter(({ result }) => result !== null).length >= count,
      limitSeconds,
      `the end of ${count} fires of ${name}`,
    );
  }
}
