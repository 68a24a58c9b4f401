import {
  CreateEventBusCommand,
  DeleteEventBusCommand,
  DeleteRuleCommand,
  DescribeEventBusCommand,
  DescribeRuleCommand,
  EventBridgeClient,
  ListRulesCommand,
  ListTargetsByRuleCommand,
  PutEventsCommand,
  type PutEventsRequestEntry,
  PutRuleCommand,
  type PutRuleCommandInput,
  PutTargetsCommand,
  RemoveTargetsCommand,
} from '@aws-sdk/client-eventbridge';
import { expect } from 'vitest';
import { contract, type World } from './claim.ts';

/** A bus with one rule and one target. */
async function bus(world: World, rule: Partial<PutRuleCommandInput> = {}) {
  const events = world.client(EventBridgeClient);
  const EventBusName = world.unique('contract');
  const { EventBusArn } = await events.send(new CreateEventBusCommand({ Name: EventBusName }));
  const Rule = 'rule';
  const pattern = JSON.stringify({ source: ['rouse'] });
  await events.send(new PutRuleCommand({ Name: Rule, EventBusName, EventPattern: pattern, ...rule }));
  const Arn = `arn:aws:sqs:${world.region}:${world.accountId}:none`;
  await events.send(new PutTargetsCommand({ Rule, EventBusName, Targets: [{ Id: '1', Arn }] }));
  const removeTargets = (...Ids: string[]) => events.send(new RemoveTargetsCommand({ Rule, EventBusName, Ids }));
  const removeRule = () => events.send(new DeleteRuleCommand({ Name: Rule, EventBusName }));
  const removeBus = () => events.send(new DeleteEventBusCommand({ Name: EventBusName }));
  world.later(removeBus);
  world.later(removeRule);
  world.later(() => removeTargets('1'));
  return { events, EventBusName, EventBusArn, Rule, pattern, Arn, removeTargets, removeRule, removeBus };
}

const entry = (more: Partial<PutEventsRequestEntry> = {}): PutEventsRequestEntry => ({
  Source: 'rouse',
  DetailType: 'task.succeeded',
  Detail: '{}',
  ...more,
});

contract('EventBridge', (claim) => {
  claim('CreateEventBus', 'the same name twice is refused', async (world) => {
    const { events, EventBusName } = await bus(world);
    const again = events.send(new CreateEventBusCommand({ Name: EventBusName }));
    await expect(again).rejects.toMatchObject({ name: 'ResourceAlreadyExistsException' });
  });

  claim('DescribeEventBus', 'tells the ARN; of a bus that is not there is ResourceNotFoundException', async (world) => {
    const { events, EventBusName, EventBusArn } = await bus(world);
    const arn = `arn:aws:events:${world.region}:${world.accountId}:event-bus/${EventBusName}`;
    expect(EventBusArn).toBe(arn);
    expect(await events.send(new DescribeEventBusCommand({ Name: EventBusName }))).toMatchObject({ Arn: arn });
    const none = events.send(new DescribeEventBusCommand({ Name: world.unique('none') }));
    await expect(none).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  claim('PutRule', 'again replaces the rule', async (world) => {
    const { events, EventBusName, Rule } = await bus(world);
    const EventPattern = JSON.stringify({ source: ['other'] });
    await events.send(new PutRuleCommand({ Name: Rule, EventBusName, EventPattern, State: 'DISABLED' }));
    const rule = await events.send(new DescribeRuleCommand({ Name: Rule, EventBusName }));
    expect(rule).toMatchObject({ EventPattern, State: 'DISABLED', EventBusName });
  });

  claim('PutRule', 'a pattern that is none is refused', async (world) => {
    const call = bus(world, { EventPattern: '{"source": "rouse"}' });
    await expect(call).rejects.toMatchObject({ name: 'InvalidEventPatternException' });
  });

  claim('DescribeRule', 'of a rule that is not there is ResourceNotFoundException', async (world) => {
    const { events, EventBusName } = await bus(world);
    const call = events.send(new DescribeRuleCommand({ Name: 'none', EventBusName }));
    await expect(call).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  claim('ListRules', 'finds rules of a bus by prefix', async (world) => {
    const { events, EventBusName, Rule } = await bus(world);
    const names = async (NamePrefix: string) =>
      (await events.send(new ListRulesCommand({ EventBusName, NamePrefix }))).Rules?.map(({ Name }) => Name);
    expect([await names('ru'), await names('x')]).toEqual([[Rule], []]);
  });

  claim('ListTargetsByRule', 'tells what PutTargets has put', async (world) => {
    const { events, EventBusName, Rule, Arn } = await bus(world);
    const { Targets } = await events.send(new ListTargetsByRuleCommand({ Rule, EventBusName }));
    expect(Targets).toEqual([{ Id: '1', Arn }]);
  });

  claim('RemoveTargets', 'a target that is not there is a failed entry, not an error', async (world) => {
    const { removeTargets } = await bus(world);
    const answer = await removeTargets('1', 'none');
    expect(answer.FailedEntryCount).toBe(1);
    expect(answer.FailedEntries).toMatchObject([{ TargetId: 'none', ErrorCode: 'ResourceNotFoundException' }]);
  });

  claim('DeleteRule', 'with targets is refused, without it is gone', async (world) => {
    const { removeTargets, removeRule } = await bus(world);
    await expect(removeRule()).rejects.toMatchObject({ name: 'ValidationException' });
    await removeTargets('1');
    await removeRule();
  });

  claim('DeleteRule', 'of a rule that is not there is no error', async (world) => {
    const { events, EventBusName } = await bus(world);
    await events.send(new DeleteRuleCommand({ Name: 'none', EventBusName }));
  });

  claim('PutEvents', 'reports each entry for itself', async (world) => {
    const { events, EventBusName } = await bus(world);
    const Entries = [entry({ EventBusName }), entry({ EventBusName, Detail: 'no JSON' })];
    const answer = await events.send(new PutEventsCommand({ Entries }));
    expect(answer.FailedEntryCount).toBe(1);
    expect(answer.Entries).toMatchObject([{ EventId: expect.any(String) }, { ErrorCode: 'MalformedDetail' }]);
  });

  claim('PutEvents', 'for a target that is not there holds nothing up', async (world) => {
    const { events, EventBusName } = await bus(world);
    const { Entries } = await events.send(new PutEventsCommand({ Entries: [entry({ EventBusName })] }));
    expect(Entries).toEqual([{ EventId: expect.any(String) }]);
    await world.after(100);
  });

  claim('PutEvents', 'no entry, or eleven, are refused', async (world) => {
    const { events } = await bus(world);
    for (const count of [0, 11]) {
      const call = events.send(new PutEventsCommand({ Entries: Array.from({ length: count }, () => entry()) }));
      await expect(call).rejects.toMatchObject({ name: 'ValidationException' });
    }
  });
});
