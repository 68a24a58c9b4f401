import { createHash, randomUUID } from 'node:crypto';
import type { Timer } from '../../clock.ts';
import { AwsError, notEmulated, refuseUnknownParameters } from '../../errors.ts';
import type { CallContext, Environment, WireRequest, WireResponse, WireService } from '../../service.ts';
import type { StoredMap } from '../../store.ts';
import { deliver, noRouter, type TargetRouter } from '../events/target-router.ts';
import { checkStart, type Input, invalid, nextOccurrence, readSettings, type StoredSchedule } from './schedule.ts';

interface StoredGroup {
  name: string;
  arn: string;
  createdMs: number;
  tags: unknown;
}

/** A thousand a second (https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html). */
const betweenInvocationsMs = 1;

interface Route {
  operation: string;
  name: string;
}

/** EventBridge Scheduler: schedules in groups, which fire on the second by the clock. */
export class SchedulerService implements WireService {
  readonly protocol = 'wire';
  readonly name = 'scheduler';
  router: TargetRouter = noRouter;
  private readonly environment: Environment;
  private readonly groups: StoredMap<StoredGroup>;
  private readonly schedules: StoredMap<StoredSchedule>;
  private readonly timers = new Map<string, Timer>();
  private nextTurnMs = 0;

  constructor(environment: Environment) {
    this.environment = environment;
    this.groups = environment.store.map('scheduler-groups');
    this.schedules = environment.store.map('scheduler-schedules');
    if (!this.groups.has('default')) this.addGroup('default', []);
  }

  /**
   * Goes on with the schedules of an earlier run; call it once targets can be reached.
   * Of the occurrences that were missed meanwhile, the latest is delivered if it is not older than its retries may be.
   */
  start(): void {
    const now = this.environment.clock.now();
    for (const [key, schedule] of [...this.schedules.entries()]) {
      let missed: number | undefined;
      while (schedule.settings.State === 'ENABLED' && schedule.nextMs !== undefined && schedule.nextMs <= now) {
        missed = schedule.nextMs;
        schedule.nextMs = nextOccurrence(schedule, missed);
      }
      const maxAgeMs = (schedule.settings.Target.RetryPolicy?.MaximumEventAgeInSeconds ?? 86_400) * 1000;
      if (missed !== undefined && now - missed <= maxAgeMs) this.invoke(schedule, missed);
      if (missed !== undefined) this.schedules.set(key, schedule);
      if (missed !== undefined && schedule.nextMs === undefined) this.complete(schedule);
      else this.arm(schedule);
    }
  }

  /** Groups and names of all schedules. */
  names(): string[] {
    return [...this.schedules.entries()].map(([key]) => key);
  }

  operation(request: WireRequest): string {
    return routeOf(request).operation;
  }

  async handle(request: WireRequest, _context: CallContext): Promise<WireResponse> {
    const { operation, name } = routeOf(request);
    return {
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(this.perform(operation, name, request)),
    };
  }

  renderError(error: AwsError, _context: CallContext): WireResponse {
    const headers = { 'content-type': 'application/json', 'x-amzn-errortype': error.code };
    return { status: error.status, headers, body: JSON.stringify({ Message: error.message, ...error.members }) };
  }

  private perform(operation: string, name: string, request: WireRequest): unknown {
    const query = request.query as Record<string, string>;
    switch (operation) {
      case 'CreateScheduleGroup':
        return this.createGroup(name, readBody(request));
      case 'GetScheduleGroup':
        return renderGroup(this.group(name));
      case 'DeleteScheduleGroup':
        return this.deleteGroup(name);
      case 'CreateSchedule':
        return this.create(name, readBody(request));
      case 'UpdateSchedule':
        return this.update(name, readBody(request));
      case 'GetSchedule':
        return render(this.find(name, query.groupName));
      case 'DeleteSchedule':
        return this.remove(this.find(name, query.groupName));
      case 'ListSchedules':
        return this.list(query);
      default:
        throw notEmulated('scheduler', `operation ${operation}`);
    }
  }

  private createGroup(name: string, input: Input): unknown {
    refuseUnknownParameters('scheduler', 'CreateScheduleGroup', input, ['Tags', 'ClientToken', 'Name']);
    checkName(name);
    if (this.groups.has(name)) throw new AwsError('ConflictException', `Schedule group ${name} already exists.`, 409);
    return { ScheduleGroupArn: this.addGroup(name, input.Tags ?? []).arn };
  }

  private deleteGroup(name: string): unknown {
    if (name === 'default') throw invalid('Cannot delete the default schedule group.');
    this.group(name);
    for (const schedule of [...this.schedules.values()]) if (schedule.group === name) this.remove(schedule);
    this.groups.delete(name);
    return {};
  }

  private create(name: string, input: Input): unknown {
    checkName(name);
    const group = String(input.GroupName ?? 'default');
    this.group(group);
    const settings = readSettings('CreateSchedule', input);
    checkStart(settings, this.environment.clock.now());
    const clientToken = input.ClientToken === undefined ? undefined : String(input.ClientToken);
    const existing = this.schedules.get(`${group}/${name}`);
    if (existing) {
      const replay = clientToken !== undefined && existing.clientToken === clientToken;
      if (replay && JSON.stringify(existing.settings) === JSON.stringify(settings))
        return { ScheduleArn: existing.arn };
      throw new AwsError('ConflictException', `Schedule ${name} already exists.`, 409);
    }
    const now = this.environment.clock.now();
    const schedule: StoredSchedule = {
      name,
      group,
      arn: this.arn(`schedule/${group}/${name}`),
      settings,
      clientToken,
      createdMs: now,
      modifiedMs: now,
      anchorMs: settings.StartDate === undefined ? now : settings.StartDate * 1000,
      nextMs: undefined,
    };
    // A rate without a start date fires as soon as it is created.
    schedule.nextMs = nextOccurrence(schedule, now - 1);
    this.save(schedule);
    return { ScheduleArn: schedule.arn };
  }

  private update(name: string, input: Input): unknown {
    const schedule = this.find(name, input.GroupName);
    const settings = readSettings('UpdateSchedule', input);
    const now = this.environment.clock.now();
    checkStart(settings, now);
    const same =
      settings.ScheduleExpression === schedule.settings.ScheduleExpression &&
      settings.StartDate === schedule.settings.StartDate;
    if (!same) schedule.anchorMs = settings.StartDate === undefined ? now : settings.StartDate * 1000;
    Object.assign(schedule, { settings, modifiedMs: now });
    schedule.nextMs = nextOccurrence(schedule, now);
    this.save(schedule);
    return { ScheduleArn: schedule.arn };
  }

  private remove(schedule: StoredSchedule): unknown {
    const key = keyOf(schedule);
    this.timers.get(key)?.cancel();
    this.timers.delete(key);
    this.schedules.delete(key);
    return {};
  }

  private list(query: Record<string, string>): unknown {
    const { ScheduleGroup: group, NamePrefix: prefix = '', State: state, NextToken: token } = query;
    const max = Number(query.MaxResults ?? 100);
    if (!Number.isInteger(max) || max < 1 || max > 100)
      throw invalid(`MaxResults must be between 1 and 100, not ${query.MaxResults}.`);
    if (group !== undefined) this.group(group);
    const after = token === undefined ? '' : Buffer.from(token, 'base64url').toString();
    const found = [...this.schedules.values()]
      .filter(
        (one) =>
          (group === undefined || one.group === group) &&
          one.name.startsWith(prefix) &&
          (state === undefined || one.settings.State === state),
      )
      .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
      .filter((one) => keyOf(one) > after);
    const page = found.slice(0, max);
    return {
      Schedules: page.map((schedule) => {
        const { Arn, GroupName, Name, State, CreationDate, LastModificationDate, Target } = render(schedule);
        return { Arn, GroupName, Name, State, CreationDate, LastModificationDate, Target: { Arn: Target.Arn } };
      }),
      ...(found.length > max && { NextToken: Buffer.from(keyOf(page.at(-1)!)).toString('base64url') }),
    };
  }

  private save(schedule: StoredSchedule): void {
    this.schedules.set(keyOf(schedule), schedule);
    this.arm(schedule);
  }

  private arm(schedule: StoredSchedule): void {
    const key = keyOf(schedule);
    this.timers.get(key)?.cancel();
    this.timers.delete(key);
    const { nextMs, settings } = schedule;
    if (nextMs === undefined || settings.State === 'DISABLED') return;
    const timer = this.environment.clock.at(nextMs + windowOffsetMs(schedule, nextMs), () => this.fire(key, nextMs));
    this.timers.set(key, timer);
  }

  private fire(key: string, scheduledMs: number): void {
    const schedule = this.schedules.get(key);
    if (!schedule || schedule.nextMs !== scheduledMs) return;
    this.invokeInTurn(schedule, scheduledMs);
    schedule.nextMs = nextOccurrence(schedule, scheduledMs);
    this.save(schedule);
    if (schedule.nextMs === undefined) this.complete(schedule);
  }

  /** What AWS can't begin in its second comes later. */
  private invokeInTurn(schedule: StoredSchedule, scheduledMs: number): void {
    const { clock } = this.environment;
    const atMs = Math.max(clock.now(), this.nextTurnMs);
    this.nextTurnMs = atMs + betweenInvocationsMs;
    if (atMs === clock.now()) this.invoke(schedule, scheduledMs);
    else clock.at(atMs, () => this.invoke(schedule, scheduledMs));
  }

  private complete(schedule: StoredSchedule): void {
    if (schedule.settings.ActionAfterCompletion === 'DELETE') this.remove(schedule);
  }

  private invoke(schedule: StoredSchedule, scheduledMs: number): void {
    const { Target: target } = schedule.settings;
    const time = new Date(scheduledMs).toISOString().replace(/\.\d{3}Z$/, 'Z');
    const input = target.Input ?? this.defaultInput(schedule, time);
    const payload = (attempt: number) =>
      input
        .replaceAll('<aws.scheduler.schedule-arn>', schedule.arn)
        .replaceAll('<aws.scheduler.scheduled-time>', time)
        .replaceAll('<aws.scheduler.execution-id>', () => randomUUID())
        .replaceAll('<aws.scheduler.attempt-number>', String(attempt));
    const groupId = target.SqsParameters?.MessageGroupId;
    deliver(this.environment, () => this.router, {
      target: target.Arn,
      options: {
        source: 'scheduler',
        roleArn: target.RoleArn,
        sourceArn: this.arn(`schedule-group/${schedule.group}`),
        ...(groupId !== undefined && { groupId }),
      },
      body: { schedule: schedule.arn, scheduledTime: time, input },
      payload,
      maxRetries: target.RetryPolicy?.MaximumRetryAttempts ?? 185,
      maxAgeSeconds: target.RetryPolicy?.MaximumEventAgeInSeconds ?? 86_400,
      deadLetterArn: target.DeadLetterConfig?.Arn,
      deadLetterBody: payload,
      deadLetterAttributes: { SCHEDULE_ARN: schedule.arn, SCHEDULED_TIME: time },
    });
  }

  private defaultInput(schedule: StoredSchedule, time: string): string {
    const { accountId, region } = this.environment;
    return JSON.stringify({
      version: '0',
      id: randomUUID(),
      'detail-type': 'Scheduled Event',
      source: 'aws.scheduler',
      account: accountId,
      time,
      region,
      resources: [schedule.arn],
      detail: '{}',
    });
  }

  private addGroup(name: string, tags: unknown): StoredGroup {
    const group = { name, arn: this.arn(`schedule-group/${name}`), createdMs: this.environment.clock.now(), tags };
    this.groups.set(name, group);
    return group;
  }

  private group(name: string): StoredGroup {
    const group = this.groups.get(name);
    if (!group) throw new AwsError('ResourceNotFoundException', `Schedule group ${name} does not exist.`, 404);
    return group;
  }

  private find(name: string, group: unknown): StoredSchedule {
    const schedule = this.schedules.get(`${String(group ?? 'default')}/${name}`);
    if (!schedule) throw new AwsError('ResourceNotFoundException', `Schedule ${name} does not exist.`, 404);
    return schedule;
  }

  private arn(resource: string): string {
    return `arn:aws:scheduler:${this.environment.region}:${this.environment.accountId}:${resource}`;
  }
}

const keyOf = ({ group, name }: StoredSchedule) => `${group}/${name}`;

function checkName(name: string): void {
  if (!/^[0-9a-zA-Z_.-]{1,64}$/.test(name))
    throw invalid(`Name ${name} must be 1 to 64 of the characters 0-9 a-z A-Z - _ .`);
}

const operations: Record<string, string> = {
  'POST schedules': 'CreateSchedule',
  'PUT schedules': 'UpdateSchedule',
  'GET schedules': 'GetSchedule',
  'DELETE schedules': 'DeleteSchedule',
  'POST schedule-groups': 'CreateScheduleGroup',
  'GET schedule-groups': 'GetScheduleGroup',
  'DELETE schedule-groups': 'DeleteScheduleGroup',
};

function routeOf({ method, path }: WireRequest): Route {
  const [, collection = '', name = ''] = path.split('/');
  if (!name && method === 'GET' && collection === 'schedules') return { operation: 'ListSchedules', name: '' };
  const operation = (name && operations[`${method} ${collection}`]) || `${method} ${path}`;
  return { operation, name: decodeURIComponent(name) };
}

function readBody(request: WireRequest): Input {
  try {
    return JSON.parse(Buffer.from(request.body).toString('utf8') || '{}');
  } catch {
    throw invalid('The request body is not JSON.');
  }
}

/** Where in its flexible window an occurrence fires: any place, but the same one each time. */
function windowOffsetMs({ arn, settings }: StoredSchedule, scheduledMs: number): number {
  const minutes = settings.FlexibleTimeWindow.MaximumWindowInMinutes ?? 0;
  if (minutes === 0) return 0;
  return createHash('sha256').update(`${arn} ${scheduledMs}`).digest().readUInt32BE() % (minutes * 60_000);
}

function render({ name, group, arn, settings, createdMs, modifiedMs }: StoredSchedule) {
  return {
    Arn: arn,
    GroupName: group,
    Name: name,
    ...settings,
    CreationDate: createdMs / 1000,
    LastModificationDate: modifiedMs / 1000,
  };
}

function renderGroup({ name, arn, createdMs }: StoredGroup): unknown {
  return {
    Arn: arn,
    Name: name,
    State: 'ACTIVE',
    CreationDate: createdMs / 1000,
    LastModificationDate: createdMs / 1000,
  };
}
