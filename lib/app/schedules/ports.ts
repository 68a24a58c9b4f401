import type { CarriedEvent } from '../../domain/event.ts';
import type { Fire, PlannedFire, Schedule, Settlement } from '../../domain/schedule.ts';
import type { Page } from '../ports.ts';

export interface Schedules {
  /** Strongly consistent; also one that was deleted, while something of it is left. */
  get(tenant: string, name: string): Promise<Schedule | undefined>;
  /** @throws Conflict unless what is there is what `before` says: nothing, or one that was deleted. */
  create(schedule: Schedule, before: Schedule | undefined, events: CarriedEvent[]): Promise<void>;
  /** Writes what differs, if the head still is what `before` says. */
  commit(before: Schedule, after: Schedule, events: CarriedEvent[]): Promise<void>;
  /** Newest first, without those that were deleted. */
  page(tenant: string, limit: number, before: string | undefined): Promise<Page<Schedule>>;

  /** Remembers that an agent has made a schedule for itself; doing it twice is doing it once. */
  addOwned(tenant: string, agentId: string, name: string): Promise<void>;
  removeOwned(tenant: string, agentId: string, name: string): Promise<void>;
  /** Names of schedules that an agent has made, or tried to. */
  owned(tenant: string, agentId: string, limit: number): Promise<string[]>;

  /** Writes the row of a fire, and its place in the buffer; an older word never replaces a newer one. */
  settle(schedule: Schedule, settlement: Settlement): Promise<void>;
  fire(schedule: Schedule, scheduledMs: number): Promise<Fire | undefined>;
  fires(schedule: Schedule, scheduledMs: number[]): Promise<Fire[]>;
  /** Latest first, by the time they were scheduled for. */
  pageOfFires(schedule: Schedule, limit: number, beforeMs: number | undefined): Promise<Page<Fire>>;
  /** The first in the buffer, with its number. */
  firstBuffered(schedule: Schedule): Promise<{ fire: PlannedFire; number: number } | undefined>;
  /** Removes what is left in the buffer of one that was deleted. */
  clearBuffer(schedule: Schedule): Promise<void>;

  /** How far a walk through EventBridge Scheduler has come. */
  walked(): Promise<string | undefined>;
  setWalked(position: string | undefined): Promise<void>;
}

/** What EventBridge Scheduler is to have for a schedule. */
export interface Alarm {
  tenant: string;
  /** Name of the schedule. */
  schedule: string;
  expression: string;
  timezone: string;
  /** Seconds of the clock, as EventBridge Scheduler takes them. */
  startMs?: number | undefined;
  endMs?: number | undefined;
}

/** EventBridge Scheduler: one of its schedules for each of ours, which only says "look at this". */
export interface Alarms {
  /** Makes it so, whatever was there. */
  put(alarm: Alarm): Promise<void>;
  /** What is there for a schedule; `intact` unless somebody changed what is the same for all. */
  get(tenant: string, schedule: string): Promise<(Alarm & { intact: boolean }) | undefined>;
  /** Safe when there is none. */
  remove(tenant: string, schedule: string): Promise<void>;
  /** Some of all that are there, and where the next page starts. Those that are not ours are left out. */
  page(
    position: string | undefined,
    limit: number,
  ): Promise<{ items: (Alarm & { intact: boolean })[]; next: string | undefined }>;
}
