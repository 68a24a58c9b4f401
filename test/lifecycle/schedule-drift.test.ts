import {
  CreateScheduleCommand,
  DeleteScheduleCommand,
  GetScheduleCommand,
  ListSchedulesCommand,
  type Target,
  UpdateScheduleCommand,
} from '@aws-sdk/client-scheduler';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { alarmName } from '../../lib/aws/alarms.ts';
import { throttled } from '../../local/faults.ts';
import { Client } from '../support/client.ts';
import { ScheduleClient } from '../support/schedule-client.ts';
import { TestStack } from '../support/stack.ts';

/** Schedules and EventBridge Scheduler can't drift apart for long. */

let stack: TestStack;
let schedules: ScheduleClient;
let target: Record<string, unknown>;

beforeAll(async () => {
  stack = await TestStack.start();
  schedules = new ScheduleClient(stack);
  const client = new Client(stack);
  await client.putTemplate('echo', { idleTimeoutSeconds: 30 });
  target = { agentId: (await client.createAgent('echo')).id, task: { input: 'x' } };
});

afterAll(() => stack.close());

/** What EventBridge Scheduler has for a schedule. */
async function alarm(name: string) {
  const { Schedules = [] } = await schedules.scheduler.send(new ListSchedulesCommand({ NamePrefix: `${name}.` }));
  const [found] = Schedules;
  if (!found) return undefined;
  return schedules.scheduler.send(new GetScheduleCommand({ Name: found.Name, GroupName: found.GroupName }));
}

async function put(name: string, differs: Record<string, unknown> = {}) {
  await schedules.put(name, { expression: 'cron(0 9 * * ? *)', timezone: 'Europe/Berlin', target, ...differs });
  await stack.advance(1);
}

test('it has one for each schedule, that sends to the triggers queue with the scheduled time and no attempt', async () => {
  await put('plain', { endAt: '2027-06-30T00:00:00Z' });
  const found = await alarm('plain');
  expect(found).toMatchObject({
    ScheduleExpression: 'cron(0 9 * * ? *)',
    ScheduleExpressionTimezone: 'Europe/Berlin',
    State: 'ENABLED',
    ActionAfterCompletion: 'DELETE',
    EndDate: new Date('2027-06-30T00:00:00Z'),
  });
  expect(found?.Name).toMatch(/^plain\.[0-9a-f]{32}$/);
  expect(found?.Target?.Arn).toContain('Triggers');
  expect(JSON.parse(found?.Target?.Input ?? '')).toEqual({
    tenant: 'default',
    kind: 'schedule',
    id: 'plain',
    scheduledTime: '<aws.scheduler.scheduled-time>',
  });
});

test('a name of any length gets one of its own', async () => {
  const long = 'n'.repeat(62);
  await put(`${long}1`);
  await put(`${long}2`);
  const { Schedules = [] } = await schedules.scheduler.send(new ListSchedulesCommand({ NamePrefix: 'nnn' }));
  expect(Schedules).toHaveLength(2);
  for (const { Name = '' } of Schedules) expect(Name.length).toBeLessThanOrEqual(64);
});

test('what somebody changed there is put right', async () => {
  await put('changed');
  const { Name, GroupName, FlexibleTimeWindow, Target } = (await alarm('changed'))!;
  await schedules.scheduler.send(
    new UpdateScheduleCommand({ Name, GroupName, FlexibleTimeWindow, Target, ScheduleExpression: 'rate(1 day)' }),
  );
  await stack.advance(360);
  expect(await alarm('changed')).toMatchObject({
    ScheduleExpression: 'cron(0 9 * * ? *)',
    ScheduleExpressionTimezone: 'Europe/Berlin',
  });
});

test('what nobody owns there is removed', async () => {
  await put('model');
  const { GroupName, FlexibleTimeWindow, Target } = (await alarm('model'))!;
  const Input = JSON.stringify({ tenant: 'default', kind: 'schedule', id: 'nobody' });
  const ScheduleExpression = 'rate(1 hour)';
  for (const Name of [alarmName('default', 'nobody'), 'nobody.we-know'])
    await schedules.scheduler.send(
      new CreateScheduleCommand({
        Name,
        GroupName,
        FlexibleTimeWindow,
        ScheduleExpression,
        Target: { ...Target!, Input } as Target,
      }),
    );
  await stack.advance(360);
  // One that only pretends to be ours is left alone.
  expect(await schedules.alarms('nobody')).toEqual(['nobody.we-know']);
});

test('one that could not be removed at once is removed later', async () => {
  await put('mine');
  const undo = stack.aws.faults.add(({ service, operation }) =>
    service === 'scheduler' && operation === 'DeleteSchedule' ? throttled() : undefined,
  );
  await schedules.remove('mine');
  await stack.advance(30);
  expect(await alarm('mine')).toBeDefined();
  undo();
  await stack.advance(120);
  expect(await alarm('mine')).toBeUndefined();
});

test('what is missing there is found when it does not come, and made again', async () => {
  await put('missing', { expression: 'rate(30 minutes)' });
  const { Name, GroupName } = (await alarm('missing'))!;
  await schedules.scheduler.send(new DeleteScheduleCommand({ Name, GroupName }));
  await stack.advance(1800 + 190);
  expect(await schedules.outcomes('missing')).toEqual(['started']);
  const made = await alarm('missing');
  // A start in the past would be refused: its next occurrence is told instead.
  expect(made?.StartDate?.toISOString()).toBe((await schedules.get('missing')).nextFires[0]);
});

test('while it throttles, a schedule is there at once, and gets its own in a minute', async () => {
  const undo = stack.aws.faults.add(({ service }) => (service === 'scheduler' ? throttled() : undefined));
  await put('patient', { expression: 'rate(10 minutes)' });
  expect((await schedules.get('patient')).nextFires).toHaveLength(5);
  await stack.advance(20);
  undo();
  expect(await alarm('patient')).toBeUndefined();
  await stack.advance(120);
  expect(await alarm('patient')).toBeDefined();
});

test('a paused schedule has none, and a changed one has the new times', async () => {
  await put('moved');
  await schedules.post('moved', 'pause');
  await stack.advance(1);
  expect(await alarm('moved')).toBeUndefined();
  await schedules.post('moved', 'resume');
  await put('moved', { expression: 'cron(30 7 * * ? *)' });
  expect(await alarm('moved')).toMatchObject({ ScheduleExpression: 'cron(30 7 * * ? *)' });
});
