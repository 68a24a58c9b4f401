import {
  CreateEventBusCommand,
  EventBridgeClient,
  PutEventsCommand,
  PutRuleCommand,
  PutTargetsCommand,
  type Target,
} from '@aws-sdk/client-eventbridge';
import { describe, expect, it } from 'vitest';
import { AwsError } from '../../local/errors.ts';
import { compilePattern } from '../../local/services/events/pattern.ts';
import { EventsService } from '../../local/services/events/service.ts';
import type { TargetOptions } from '../../local/services/events/target-router.ts';
import { client, makeEnvironment, makeWire } from '../support/embedded.ts';

const queueArn = 'arn:aws:sqs:us-east-1:000000000000:q';
const deadArn = 'arn:aws:sqs:us-east-1:000000000000:dead';

function setUp() {
  const environment = makeEnvironment();
  const service = new EventsService(environment);
  const sent: { arn: string; payload: unknown; options: TargetOptions }[] = [];
  let failing: Error | undefined;
  service.router = {
    send: async (arn, payload, options) => {
      if (failing && arn !== deadArn) throw failing;
      sent.push({ arn, payload: JSON.parse(payload), options });
    },
  };
  const events = client(EventBridgeClient, makeWire(environment, service));
  const rule = async (EventPattern: object, target: Partial<Target> = {}, more: object = {}) => {
    await events.send(new PutRuleCommand({ Name: 'rule', EventPattern: JSON.stringify(EventPattern), ...more }));
    return events.send(
      new PutTargetsCommand({ Rule: 'rule', Targets: [{ Id: '1', Arn: queueArn, ...target }], ...more }),
    );
  };
  const put = async (detail: object, more: object = {}) => {
    const entry = { Source: 'rouse', DetailType: 'task.succeeded', Detail: JSON.stringify(detail), ...more };
    const answer = await events.send(new PutEventsCommand({ Entries: [entry] }));
    await environment.activity.settled();
    return answer;
  };
  const pass = async (ms: number) => {
    const until = environment.clock.now() + ms;
    while (environment.clock.step(until)) await environment.activity.settled();
    await environment.activity.settled();
  };
  return {
    environment,
    service,
    events,
    sent,
    rule,
    put,
    pass,
    fail: (error?: Error) => {
      failing = error;
    },
  };
}

describe('a rule', () => {
  it('sends matching events to its targets', async () => {
    const { rule, put, sent } = setUp();
    await rule({ source: ['rouse'], detail: { agentId: [{ prefix: 'ag_' }] } });
    await put({ agentId: 'other' });
    const answer = await put({ agentId: 'ag_1' });
    expect(answer.FailedEntryCount).toBe(0);
    expect(sent).toMatchObject([
      {
        arn: queueArn,
        payload: {
          version: '0',
          id: answer.Entries?.[0]?.EventId,
          source: 'rouse',
          'detail-type': 'task.succeeded',
          account: '000000000000',
          time: '2027-01-04T08:00:00Z',
          region: 'us-east-1',
          resources: [],
          detail: { agentId: 'ag_1' },
        },
      },
    ]);
  });

  it('sends nothing while it is disabled', async () => {
    const { rule, put, sent } = setUp();
    await rule({ source: ['rouse'] });
    await rule({ source: ['rouse'] }, {}, { State: 'DISABLED' });
    await put({});
    expect(sent).toEqual([]);
  });

  it('sees only the events of its bus, which another bus may forward', async () => {
    const { events, rule, put, sent } = setUp();
    const { EventBusArn } = await events.send(new CreateEventBusCommand({ Name: 'other' }));
    await rule({ source: ['rouse'] }, {}, { EventBusName: 'other' });
    await put({});
    expect(sent).toHaveLength(0);
    await put({}, { EventBusName: EventBusArn });
    expect(sent).toHaveLength(1);
    await rule({ source: ['rouse'] }, { Arn: EventBusArn });
    await put({});
    expect(sent).toHaveLength(2);
  });

  it('sees events of AWS services on the default bus', async () => {
    const { environment, service, rule, sent } = setUp();
    await rule({ source: ['aws.ecs'], 'detail-type': ['ECS Task State Change'], detail: { lastStatus: ['STOPPED'] } });
    service.publish({
      source: 'aws.ecs',
      detailType: 'ECS Task State Change',
      detail: { lastStatus: 'STOPPED' },
      resources: ['arn'],
    });
    await environment.activity.settled();
    expect(sent).toMatchObject([{ payload: { source: 'aws.ecs', resources: ['arn'] } }]);
  });
});

describe('a target', () => {
  it('gets a constant, a part of the event or a filled-in template', async () => {
    const { rule, put, sent } = setUp();
    const all = { source: ['rouse'] };
    await rule(all, { Input: '{"a":1}' });
    await put({});
    await rule(all, { InputPath: '$.detail.items[1]' });
    await put({ items: [1, { b: 2 }] });
    const InputTemplate = '{"text":"task <id> is \\"<state>\\"","detail":<all>,"n":<n>,"rule":<aws.events.rule-name>}';
    await rule(all, {
      InputTransformer: {
        InputPathsMap: { id: '$.detail.id', state: '$.detail-type', all: '$.detail', n: '$.detail.n' },
        InputTemplate,
      },
    });
    await put({ id: 'a"b', n: 3 });
    expect(sent.map(({ payload }) => payload)).toEqual([
      { a: 1 },
      { b: 2 },
      { text: 'task a"b is "task.succeeded"', detail: { id: 'a"b', n: 3 }, n: 3, rule: 'rule' },
    ]);
  });

  it('gets a message group from the event', async () => {
    const { rule, put, sent } = setUp();
    await rule({ source: ['rouse'] }, { SqsParameters: { MessageGroupId: '$.detail.agentId' } });
    await put({ agentId: 'ag_1' });
    expect(sent[0]?.options).toMatchObject({ source: 'events', groupId: 'ag_1' });
  });

  it('is tried again until it takes the event', async () => {
    const { rule, put, sent, fail, pass } = setUp();
    await rule({ source: ['rouse'] });
    fail(new Error('busy'));
    await put({});
    await pass(1000);
    fail();
    expect(sent).toEqual([]);
    await pass(2000);
    expect(sent).toHaveLength(1);
  });

  it('is given up after its retries, or at once when it is gone; the event goes to the dead-letter queue', async () => {
    const { rule, put, sent, fail, pass } = setUp();
    await rule({ source: ['rouse'] }, { RetryPolicy: { MaximumRetryAttempts: 1 }, DeadLetterConfig: { Arn: deadArn } });
    fail(new AwsError('QueueDoesNotExist', 'gone'));
    await put({ n: 1 });
    expect(sent).toMatchObject([
      {
        arn: deadArn,
        payload: { detail: { n: 1 } },
        options: { attributes: { ERROR_CODE: 'QueueDoesNotExist', RETRY_ATTEMPTS: '0' } },
      },
    ]);
    fail(new AwsError('ThrottlingException', 'slow down'));
    await put({ n: 2 });
    expect(sent).toHaveLength(1);
    await pass(10_000);
    expect(sent[1]).toMatchObject({
      options: { attributes: { EXHAUSTED_RETRY_CONDITION: 'MaximumRetryAttempts', RETRY_ATTEMPTS: '1' } },
    });
  });

  it('gets events never, twice or late as faults say', async () => {
    const { environment, rule, put, sent, pass } = setUp();
    await rule({ source: ['rouse'] });
    let fault = { copies: 0, delayMs: 0 };
    environment.faults.addDelivery(({ source }) => (source === 'events' ? fault : undefined));
    await put({});
    expect(sent).toHaveLength(0);
    fault = { copies: 2, delayMs: 5000 };
    await put({});
    expect(sent).toHaveLength(0);
    await pass(5000);
    expect(sent).toHaveLength(2);
  });
});

describe('PutEvents', () => {
  it('reports each bad entry for itself', async () => {
    const { put } = setUp();
    expect(await put({}, { Source: 'aws.ecs' })).toMatchObject({
      FailedEntryCount: 1,
      Entries: [{ ErrorCode: 'NotAuthorizedForSourceException' }],
    });
    expect(await put({}, { Detail: 'no JSON' })).toMatchObject({ Entries: [{ ErrorCode: 'MalformedDetail' }] });
    expect(await put({}, { DetailType: undefined })).toMatchObject({ Entries: [{ ErrorCode: 'InvalidArgument' }] });
  });

  it('takes less than 1 MB at once', async () => {
    const { put } = setUp();
    await expect(put({ text: 'x'.repeat(1_048_576) })).rejects.toMatchObject({ name: 'ValidationException' });
  });
});

describe('an event pattern', () => {
  const event = {
    source: 'rouse',
    n: 5,
    on: true,
    none: null,
    tags: ['red', 'blue'],
    empty: [],
    detail: {
      state: 'Running',
      items: [
        { a: 1, b: 2 },
        { a: 3, b: 4 },
      ],
    },
  };
  const cases: [object, boolean][] = [
    [{ source: ['rouse', 'x'] }, true],
    [{ source: ['Rouse'] }, false],
    [{ n: [5] }, true],
    [{ n: ['5'] }, false],
    [{ on: [true], none: [null] }, true],
    [{ missing: [null] }, false],
    [{ tags: ['blue'] }, true],
    [{ source: [{ prefix: 'ro' }] }, true],
    [{ source: [{ suffix: 'se' }] }, true],
    [{ source: [{ prefix: { 'equals-ignore-case': 'RO' } }] }, true],
    [{ source: [{ 'equals-ignore-case': 'ROUSE' }] }, true],
    [{ source: [{ wildcard: 'r*s*' }] }, true],
    [{ source: [{ wildcard: 'r\\*' }] }, false],
    [{ n: [{ numeric: ['>', 4, '<=', 5] }] }, true],
    [{ n: [{ numeric: ['=', 6] }] }, false],
    [{ source: [{ 'anything-but': 'rouse' }] }, false],
    [{ source: [{ 'anything-but': ['a', 'b'] }] }, true],
    [{ source: [{ 'anything-but': { prefix: 'x' } }] }, true],
    [{ source: [{ 'anything-but': { suffix: ['se', 'x'] } }] }, false],
    [{ missing: [{ 'anything-but': 'a' }] }, false],
    [{ n: [{ exists: true }] }, true],
    [{ missing: [{ exists: false }], deep: { er: [{ exists: false }] } }, true],
    [{ detail: [{ exists: true }] }, false],
    [{ empty: [{ exists: false }] }, true],
    [{ detail: { state: ['Running'] } }, true],
    [{ detail: { items: { a: [3], b: [4] } } }, true],
    [{ detail: { items: { a: [1], b: [4] } } }, false],
    [{ source: ['rouse'], $or: [{ n: [6] }, { on: [true] }] }, true],
    [{ $or: [{ n: [6] }, { on: [false] }] }, false],
  ];

  it.each(cases)('%j matches: %s', (pattern, expected) => {
    expect(compilePattern(JSON.stringify(pattern))(event)).toBe(expected);
  });

  it.each([
    'no JSON',
    '{}',
    '{"a":"x"}',
    '{"a":[]}',
    '{"a":[{"near":1}]}',
    '{"a":[{"numeric":["~",1]}]}',
    '{"a":[{"wildcard":"**"}]}',
    '{"$or":[{"a":[1]}]}',
  ])('%s is refused', (pattern) => {
    expect(() => compilePattern(pattern)).toThrow('Event pattern is not valid');
  });

  it('with cidr is refused by its name', () => {
    expect(() => compilePattern('{"ip":[{"cidr":"10.0.0.0/24"}]}')).toThrow('cidr');
  });
});
