import {
  CreateScheduleCommand,
  CreateScheduleGroupCommand,
  DeleteScheduleCommand,
  DeleteScheduleGroupCommand,
  GetScheduleCommand,
  GetScheduleGroupCommand,
  SchedulerClient,
  UpdateScheduleCommand,
} from '@aws-sdk/client-scheduler';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../local/clock.ts';
import type { TargetOptions } from '../../local/services/events/target-router.ts';
import { SchedulerService } from '../../local/services/scheduler/service.ts';
import type { Store } from '../../local/store.ts';
import { client, KeptStore, makeEnvironment, makeWire } from '../support/embedded.ts';

const Target = {
  Arn: 'arn:aws:sqs:us-east-1:000000000000:q',
  RoleArn: 'arn:aws:iam::000000000000:role/r',
  Input: 'fired',
};
const FlexibleTimeWindow = { Mode: 'OFF' } as const;

function setUp(options: { store?: Store; clock?: ManualClock } = {}) {
  const environment = makeEnvironment(options);
  const { clock } = environment;
  const startMs = clock.now();
  const sent: { arn: string; payload: string; options: TargetOptions; afterMs: number }[] = [];
  let failing: Error | undefined;
  const service = new SchedulerService(environment);
  service.router = {
    send: async (arn, payload, options) => {
      if (failing && !arn.endsWith(':dead')) throw failing;
      sent.push({ arn, payload, options, afterMs: clock.now() - startMs });
    },
  };
  const scheduler = client(SchedulerClient, makeWire(environment, service));
  const create = (ScheduleExpression: string, more: object = {}) =>
    scheduler.send(new CreateScheduleCommand({ Name: 's', ScheduleExpression, Target, FlexibleTimeWindow, ...more }));
  const get = (Name = 's', GroupName?: string) => scheduler.send(new GetScheduleCommand({ Name, GroupName }));
  const pass = async (ms: number) => {
    const until = clock.now() + ms;
    while (clock.step(until)) await environment.activity.settled();
    await environment.activity.settled();
  };
  const times = () => sent.map(({ afterMs }) => afterMs / 1000);
  const fail = (error?: Error) => {
    failing = error;
  };
  return { environment, clock, service, scheduler, create, get, pass, sent, times, fail };
}

describe('a schedule', () => {
  it('fires on the second, a rate first when it is created', async () => {
    const { create, pass, times } = setUp();
    await create('rate(1 minute)');
    await pass(130_000);
    expect(times()).toEqual([0, 60, 120]);
  });

  it('waits for its turn when more than a thousand fire in a second', async () => {
    const { clock, create, pass, times } = setUp();
    const at = new Date(clock.now() + 60_000).toISOString().slice(0, 19);
    for (let i = 0; i < 3; i++) await create(`at(${at})`, { Name: `s${i}` });
    await pass(61_000);
    expect(times()).toEqual([60, 60.001, 60.002]);
  });

  it('fires in its time zone, within its start and end date', async () => {
    const { clock, create, pass, times } = setUp();
    const at = (hours: number) => new Date(clock.now() + hours * 3_600_000);
    // 08:00 UTC is 09:00 in Berlin.
    await create('cron(0 * * * ? *)', {
      ScheduleExpressionTimezone: 'Europe/Berlin',
      StartDate: at(2),
      EndDate: at(4),
    });
    await pass(10 * 3_600_000);
    expect(times()).toEqual([7200, 10_800, 14_400]);
  });

  it('refuses a start that is older than five minutes, but for one-time schedules', async () => {
    const { clock, create } = setUp();
    const ago = (seconds: number) => ({ StartDate: new Date(clock.now() - seconds * 1000) });
    await expect(create('rate(5 minutes)', ago(301))).rejects.toMatchObject({
      name: 'ValidationException',
      message: 'The StartDate you specify cannot be earlier than 5 minutes ago.',
    });
    await create('rate(5 minutes)', ago(300));
    await create('at(2027-01-04T09:00:00)', { Name: 'once', ...ago(9999) });
  });

  it('fires once and deletes itself when it is told to', async () => {
    const { create, get, pass, times } = setUp();
    await create('at(2027-01-04T08:00:30)', { ActionAfterCompletion: 'DELETE' });
    await pass(60_000);
    expect(times()).toEqual([30]);
    await expect(get()).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  it('fires somewhere in its flexible window', async () => {
    const { create, pass, times } = setUp();
    await create('at(2027-01-04T08:01:00)', { FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 10 } });
    await pass(660_000);
    expect(times()).toHaveLength(1);
    expect(times()[0]).toBeGreaterThanOrEqual(60);
  });

  it('does not fire while it is disabled, nor when it is deleted', async () => {
    const { scheduler, create, pass, times } = setUp();
    await create('cron(* * * * ? *)', { State: 'DISABLED' });
    await pass(60_000);
    await scheduler.send(
      new UpdateScheduleCommand({ Name: 's', ScheduleExpression: 'cron(* * * * ? *)', Target, FlexibleTimeWindow }),
    );
    await pass(60_000);
    await scheduler.send(new DeleteScheduleCommand({ Name: 's' }));
    await pass(60_000);
    expect(times()).toEqual([120]);
  });

  it('is created once by a client token', async () => {
    const { create } = setUp();
    const first = await create('rate(5 minutes)', { ClientToken: 't' });
    expect((await create('rate(5 minutes)', { ClientToken: 't' })).ScheduleArn).toBe(first.ScheduleArn);
    await expect(create('rate(6 minutes)', { ClientToken: 't' })).rejects.toMatchObject({ name: 'ConflictException' });
    await expect(create('rate(5 minutes)')).rejects.toMatchObject({
      name: 'ConflictException',
      message: 'Schedule s already exists.',
    });
  });

  it.each([
    { ScheduleExpression: 'rate(5 seconds)' },
    { Name: 'a b' },
    { FlexibleTimeWindow: { Mode: 'FLEXIBLE' } },
    { Target: { ...Target, RoleArn: 'role' } },
    { Target: { ...Target, RetryPolicy: { MaximumEventAgeInSeconds: 59 } } },
    { Target: { ...Target, Arn: 'arn:aws:lambda:us-east-1:000000000000:function:f', Input: 'no JSON' } },
    { Target: { ...Target, DeadLetterConfig: { Arn: 'arn:aws:sqs:us-east-1:000000000000:dead.fifo' } } },
    { StartDate: new Date(2), EndDate: new Date(1) },
  ])('is refused with %j', async (more) => {
    const { create } = setUp();
    await expect(create('rate(5 minutes)', more)).rejects.toMatchObject({ name: 'ValidationException' });
  });
});

describe('a delivery', () => {
  const Input =
    '{"time":"<aws.scheduler.scheduled-time>","schedule":"<aws.scheduler.schedule-arn>","attempt":<aws.scheduler.attempt-number>,"id":"<aws.scheduler.execution-id>"}';

  it('carries the attributes of its context, and the group for a FIFO queue', async () => {
    const { create, pass, sent, fail } = setUp();
    const fifo = { ...Target, Arn: `${Target.Arn}.fifo`, SqsParameters: { MessageGroupId: 'g' } };
    await create('at(2027-01-04T08:01:00)', { Target: { ...fifo, Input } });
    fail(new Error('busy'));
    await pass(60_000);
    fail();
    await pass(1000);
    expect(sent).toMatchObject([{ arn: fifo.Arn, options: { groupId: 'g' } }]);
    expect(JSON.parse(sent[0]!.payload)).toEqual({
      time: '2027-01-04T08:01:00Z',
      schedule: 'arn:aws:scheduler:us-east-1:000000000000:schedule/default/s',
      attempt: 2,
      id: expect.any(String),
    });
  });

  it('goes to the dead-letter queue when its retries are used up', async () => {
    const { create, pass, sent, fail } = setUp();
    const more = {
      RetryPolicy: { MaximumRetryAttempts: 0 },
      DeadLetterConfig: { Arn: 'arn:aws:sqs:us-east-1:000000000000:dead' },
    };
    await create('at(2027-01-04T08:01:00)', { Target: { ...Target, ...more } });
    fail(new Error('busy'));
    await pass(60_000);
    expect(sent).toMatchObject([
      {
        arn: more.DeadLetterConfig.Arn,
        payload: 'fired',
        options: { attributes: { EXHAUSTED_RETRY_CONDITION: 'MaximumRetryAttempts' } },
      },
    ]);
  });
});

describe('a group', () => {
  it('holds schedules and takes them with it', async () => {
    const { scheduler, create, get } = setUp();
    await expect(create('rate(5 minutes)', { GroupName: 'g' })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: 'Schedule group g does not exist.',
    });
    await scheduler.send(new CreateScheduleGroupCommand({ Name: 'g' }));
    expect(await scheduler.send(new GetScheduleGroupCommand({ Name: 'g' }))).toMatchObject({ State: 'ACTIVE' });
    await create('rate(5 minutes)', { GroupName: 'g' });
    expect(await get('s', 'g')).toMatchObject({ GroupName: 'g' });
    await scheduler.send(new DeleteScheduleGroupCommand({ Name: 'g' }));
    await expect(get('s', 'g')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });
});

describe('after a restart', () => {
  /** Creates a schedule, lets time pass while nothing runs, and starts again. */
  const restart = async (afterMs: number, expression: string, more: object = {}) => {
    const store = new KeptStore();
    const { clock, create } = setUp({ store });
    await create(expression, more);
    const later = setUp({ store, clock: new ManualClock(clock.now() + afterMs) });
    later.service.start();
    await later.pass(60_000);
    return later.times();
  };

  it('delivers the latest fire that was missed, and goes on', async () => {
    expect(await restart(330_000, 'cron(* * * * ? *)')).toEqual([0, 30]);
  });

  it('drops what is older than its retries may be', async () => {
    const patient = { ...Target, RetryPolicy: { MaximumEventAgeInSeconds: 70 } };
    expect(await restart(130_000, 'at(2027-01-04T08:01:00)', { Target: patient })).toEqual([0]);
    const impatient = { ...Target, RetryPolicy: { MaximumEventAgeInSeconds: 60 } };
    expect(await restart(130_000, 'at(2027-01-04T08:01:00)', { Target: impatient })).toEqual([]);
  });
});
