import { createHash } from 'node:crypto';
import {
  ActionAfterCompletion,
  ConflictException,
  CreateScheduleCommand,
  DeleteScheduleCommand,
  FlexibleTimeWindowMode,
  GetScheduleCommand,
  type GetScheduleCommandOutput,
  ListSchedulesCommand,
  ResourceNotFoundException,
  type SchedulerClient,
  ScheduleState,
  UpdateScheduleCommand,
  type UpdateScheduleCommandInput,
} from '@aws-sdk/client-scheduler';
import type { Alarm, Alarms } from '../app/schedules/ports.ts';

export interface AlarmPlace {
  scheduleGroup: string;
  scheduleRoleArn: string;
  triggersQueueArn: string;
  deadLettersQueueArn: string;
}

type Present = Alarm & { intact: boolean };

/** Schedules in EventBridge Scheduler, all in one group, each of which sends to the triggers queue whose time has come. */
export class SchedulerAlarms implements Alarms {
  private readonly client: SchedulerClient;
  private readonly place: AlarmPlace;

  constructor(client: SchedulerClient, place: AlarmPlace) {
    this.client = client;
    this.place = place;
  }

  async put(alarm: Alarm): Promise<void> {
    const settings = this.settingsOf(alarm);
    const ClientToken = createHash('sha256').update(JSON.stringify(settings)).digest('hex');
    try {
      await this.client.send(new UpdateScheduleCommand({ ...settings, ClientToken }));
    } catch (error) {
      if (!(error instanceof ResourceNotFoundException)) throw error;
      try {
        await this.client.send(new CreateScheduleCommand({ ...settings, ClientToken }));
      } catch (raced) {
        if (!(raced instanceof ConflictException)) throw raced;
        // Somebody else has made it, perhaps from an older head.
        await this.client.send(new UpdateScheduleCommand({ ...settings, ClientToken }));
      }
    }
  }

  async get(tenant: string, schedule: string): Promise<Present | undefined> {
    return this.read(alarmName(tenant, schedule));
  }

  async remove(tenant: string, schedule: string): Promise<void> {
    const Name = alarmName(tenant, schedule);
    await orMissing(this.client.send(new DeleteScheduleCommand({ Name, GroupName: this.place.scheduleGroup })));
  }

  async page(position: string | undefined, limit: number): Promise<{ items: Present[]; next: string | undefined }> {
    const answer = await this.client.send(
      new ListSchedulesCommand({ GroupName: this.place.scheduleGroup, MaxResults: limit, NextToken: position }),
    );
    const names = (answer.Schedules ?? []).flatMap(({ Name }) => Name ?? []);
    const items: Present[] = [];
    // Reads of schedules have a rate of their own, which users' schedules need too: a few at once.
    for (let i = 0; i < names.length; i += 10) {
      const found = await Promise.all(names.slice(i, i + 10).map((name) => this.read(name)));
      items.push(...found.filter((one) => one !== undefined));
    }
    return { items, next: answer.NextToken };
  }

  private async read(name: string): Promise<Present | undefined> {
    const found = await orMissing(
      this.client.send(new GetScheduleCommand({ Name: name, GroupName: this.place.scheduleGroup })),
    );
    return found && this.toAlarm(name, found);
  }

  /** What it is the alarm of is in its message. One that is named otherwise is not ours. */
  private toAlarm(name: string, found: GetScheduleCommandOutput): Present | undefined {
    const owner = ownerIn(found.Target?.Input);
    if (!owner || alarmName(owner.tenant, owner.schedule) !== name) return undefined;
    const alarm: Alarm = {
      ...owner,
      expression: found.ScheduleExpression ?? '',
      timezone: found.ScheduleExpressionTimezone ?? 'UTC',
      startMs: found.StartDate?.getTime(),
      endMs: found.EndDate?.getTime(),
    };
    return { ...alarm, intact: isLike(this.settingsOf(alarm), found) };
  }

  private settingsOf({ tenant, schedule, expression, timezone, startMs, endMs }: Alarm): UpdateScheduleCommandInput {
    const { scheduleGroup, scheduleRoleArn, triggersQueueArn, deadLettersQueueArn } = this.place;
    return {
      Name: alarmName(tenant, schedule),
      GroupName: scheduleGroup,
      Description: `The schedule ${schedule} of ${tenant}`,
      ScheduleExpression: expression,
      ScheduleExpressionTimezone: timezone,
      StartDate: startMs === undefined ? undefined : new Date(startMs),
      EndDate: endMs === undefined ? undefined : new Date(endMs),
      FlexibleTimeWindow: { Mode: FlexibleTimeWindowMode.OFF },
      State: ScheduleState.ENABLED,
      ActionAfterCompletion: ActionAfterCompletion.DELETE,
      Target: {
        Arn: triggersQueueArn,
        RoleArn: scheduleRoleArn,
        // No number of the attempt: what is delivered twice is the same.
        Input: JSON.stringify({
          tenant,
          kind: 'schedule',
          id: schedule,
          scheduledTime: '<aws.scheduler.scheduled-time>',
        }),
        DeadLetterConfig: { Arn: deadLettersQueueArn },
      },
    };
  }
}

/** At most 64 characters (aws-facts 4.1), and no other schedule's: the beginning for people, the hash for uniqueness. */
export function alarmName(tenant: string, schedule: string): string {
  const hash = createHash('sha256').update(`${tenant}/${schedule}`).digest('hex').slice(0, 32);
  return `${schedule.slice(0, 31)}.${hash}`;
}

/** Whether what is the same for all alarms is so. */
function isLike(wanted: UpdateScheduleCommandInput, found: GetScheduleCommandOutput): boolean {
  return (
    found.State === wanted.State &&
    found.ActionAfterCompletion === wanted.ActionAfterCompletion &&
    found.FlexibleTimeWindow?.Mode === wanted.FlexibleTimeWindow?.Mode &&
    found.Target?.Arn === wanted.Target?.Arn &&
    found.Target?.RoleArn === wanted.Target?.RoleArn &&
    found.Target?.Input === wanted.Target?.Input &&
    found.Target?.DeadLetterConfig?.Arn === wanted.Target?.DeadLetterConfig?.Arn
  );
}

function ownerIn(input: string | undefined): { tenant: string; schedule: string } | undefined {
  try {
    const { tenant, kind, id } = JSON.parse(input ?? '') as Record<string, unknown>;
    const isOurs = kind === 'schedule' && typeof tenant === 'string' && typeof id === 'string';
    return isOurs ? { tenant, schedule: id } : undefined;
  } catch {
    return undefined;
  }
}

async function orMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}
