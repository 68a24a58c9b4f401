import {
  CreateScheduleCommand,
  type CreateScheduleCommandInput,
  CreateScheduleGroupCommand,
  DeleteScheduleCommand,
  DeleteScheduleGroupCommand,
  GetScheduleCommand,
  GetScheduleGroupCommand,
  ListSchedulesCommand,
  SchedulerClient,
  UpdateScheduleCommand,
} from '@aws-sdk/client-scheduler';
import { expect } from 'vitest';
import { contract, type World } from './claim.ts';

/** A group of schedules. They are disabled: what they fire is no matter of the API. */
async function group(world: World) {
  const scheduler = world.client(SchedulerClient);
  const GroupName = world.unique('contract');
  const { ScheduleGroupArn } = await scheduler.send(new CreateScheduleGroupCommand({ Name: GroupName }));
  world.later(() => scheduler.send(new DeleteScheduleGroupCommand({ Name: GroupName })));
  const input = (Name: string, more: Partial<CreateScheduleCommandInput> = {}): CreateScheduleCommandInput => ({
    Name,
    GroupName,
    ScheduleExpression: 'rate(1 hour)',
    FlexibleTimeWindow: { Mode: 'OFF' },
    State: 'DISABLED',
    Target: {
      Arn: `arn:aws:sqs:${world.region}:${world.accountId}:none`,
      RoleArn: `arn:aws:iam::${world.accountId}:role/none`,
      Input: '{}',
    },
    ...more,
  });
  const create = (name: string, more: Partial<CreateScheduleCommandInput> = {}) =>
    scheduler.send(new CreateScheduleCommand(input(name, more)));
  const get = (Name: string) => scheduler.send(new GetScheduleCommand({ Name, GroupName }));
  return { scheduler, GroupName, ScheduleGroupArn, input, create, get };
}

contract('Scheduler', (claim) => {
  claim('CreateScheduleGroup', 'has an ARN, and its name is taken', async (world) => {
    const { scheduler, GroupName, ScheduleGroupArn } = await group(world);
    expect(ScheduleGroupArn).toBe(`arn:aws:scheduler:${world.region}:${world.accountId}:schedule-group/${GroupName}`);
    const again = scheduler.send(new CreateScheduleGroupCommand({ Name: GroupName }));
    await expect(again).rejects.toMatchObject({ name: 'ConflictException' });
  });

  claim('GetScheduleGroup', 'of a group that is not there is ResourceNotFoundException', async (world) => {
    const { scheduler } = await group(world);
    const call = scheduler.send(new GetScheduleGroupCommand({ Name: world.unique('none') }));
    await expect(call).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  claim('CreateSchedule', 'is read as it was written', async (world) => {
    const { create, get, GroupName } = await group(world);
    const ScheduleExpression = 'cron(30 2 ? * MON-FRI *)';
    const { ScheduleArn } = await create('a', { ScheduleExpression, ScheduleExpressionTimezone: 'Europe/Berlin' });
    const arn = `arn:aws:scheduler:${world.region}:${world.accountId}:schedule/${GroupName}/a`;
    expect(ScheduleArn).toBe(arn);
    expect(await get('a')).toMatchObject({
      Arn: arn,
      ScheduleExpression,
      ScheduleExpressionTimezone: 'Europe/Berlin',
      State: 'DISABLED',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: { Input: '{}' },
    });
  });

  claim('CreateSchedule', 'the time zone is UTC unless it is told', async (world) => {
    const { create, get } = await group(world);
    await create('a');
    expect((await get('a')).ScheduleExpressionTimezone).toBe('UTC');
  });

  claim('CreateSchedule', 'the same name twice in a group is refused', async (world) => {
    const { create } = await group(world);
    await create('a');
    await expect(create('a')).rejects.toMatchObject({ name: 'ConflictException' });
  });

  claim('CreateSchedule', 'in a group that is not there is ResourceNotFoundException', async (world) => {
    const { create } = await group(world);
    const call = create('a', { GroupName: world.unique('none') });
    await expect(call).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  for (const expression of ['rate(0 minutes)', 'cron(* * * *)', 'cron(0 0 1 * 1 *)', 'at(tomorrow)'])
    claim('CreateSchedule', `${expression} is refused`, async (world) => {
      const { create } = await group(world);
      const call = create('a', { ScheduleExpression: expression });
      await expect(call).rejects.toMatchObject({ name: 'ValidationException' });
    });

  claim('CreateSchedule', 'a time zone that is none is refused', async (world) => {
    const { create } = await group(world);
    const call = create('a', { ScheduleExpressionTimezone: 'Europe/Nowhere' });
    await expect(call).rejects.toMatchObject({ name: 'ValidationException' });
  });

  claim('UpdateSchedule', 'replaces all of it: what is left out has its default', async (world) => {
    const { scheduler, create, get, input } = await group(world);
    await create('a', { Description: 'first', ScheduleExpressionTimezone: 'Europe/Berlin' });
    await scheduler.send(new UpdateScheduleCommand(input('a', { ScheduleExpression: 'rate(2 hours)' })));
    const schedule = await get('a');
    expect(schedule).toMatchObject({ ScheduleExpression: 'rate(2 hours)', ScheduleExpressionTimezone: 'UTC' });
    expect(schedule.Description).toBeUndefined();
  });

  claim('UpdateSchedule', 'of a schedule that is not there is ResourceNotFoundException', async (world) => {
    const { scheduler, input } = await group(world);
    const call = scheduler.send(new UpdateScheduleCommand(input('none')));
    await expect(call).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  claim('DeleteSchedule', 'takes it away, and is refused the second time', async (world) => {
    const { scheduler, create, get, GroupName } = await group(world);
    await create('a');
    const remove = () => scheduler.send(new DeleteScheduleCommand({ Name: 'a', GroupName }));
    await remove();
    await expect(get('a')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    await expect(remove()).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  claim('ListSchedules', 'lists a group by prefix, in pages', async (world) => {
    const { scheduler, create, GroupName } = await group(world);
    for (const name of ['a1', 'a2', 'b1']) await create(name);
    const list = async (more: object) => {
      const answer = await scheduler.send(new ListSchedulesCommand({ GroupName, ...more }));
      return { names: answer.Schedules?.map(({ Name }) => Name), next: answer.NextToken };
    };
    expect((await list({ NamePrefix: 'a' })).names).toEqual(['a1', 'a2']);
    const first = await list({ MaxResults: 2 });
    expect(first.names).toEqual(['a1', 'a2']);
    expect((await list({ NextToken: first.next })).names).toEqual(['b1']);
  });
});
