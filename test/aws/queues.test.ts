import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ListQueueTagsCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import type { Nudge } from '../../lib/app/ports.ts';
import { SqsQueues } from '../../lib/aws/queues.ts';
import { agentHead } from '../../lib/domain/head.ts';
import { SqsService } from '../../local/services/sqs/service.ts';
import { agentId, otherRuntimeId, runtimeId } from '../support/builders.ts';
import { client, makeEnvironment, makeWire } from '../support/embedded.ts';

const tenant = 'default';

async function setUp() {
  const environment = makeEnvironment();
  const sqs = client(SQSClient, makeWire(environment, new SqsService(environment)));
  const create = async (name: string) => {
    const Attributes = name.endsWith('.fifo') ? { FifoQueue: 'true' } : {};
    return (await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes }))).QueueUrl!;
  };
  const [workQueueUrl, launchesQueueUrl, timersQueueUrl] = [
    await create('rouse-work.fifo'),
    await create('rouse-launches.fifo'),
    await create('rouse-timers'),
  ];
  const deadLetterQueueUrls = [await create('rouse-dead.fifo'), await create('rouse-dead')];
  const urls = { stack: 'rouse', workQueueUrl, launchesQueueUrl, timersQueueUrl, deadLetterQueueUrls };
  const queues = new SqsQueues(sqs, urls);
  const received = async (QueueUrl: string) => {
    const command = new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: 10,
      MessageSystemAttributeNames: ['All'],
    });
    return (await sqs.send(command)).Messages ?? [];
  };
  const pass = (ms: number) => {
    const until = environment.clock.now() + ms;
    while (environment.clock.step(until));
  };
  const now = () => environment.clock.now();
  return { sqs, queues, received, pass, now, workQueueUrl, launchesQueueUrl, timersQueueUrl };
}

const nudge = (id: string = agentId): Nudge => ({ tenant, kind: 'agent', id });

describe('a nudge', () => {
  it('is in the group of its agent', async () => {
    const { queues, received, workQueueUrl } = await setUp();
    await queues.nudge([nudge()]);
    const [message] = await received(workQueueUrl);
    expect(JSON.parse(message!.Body!)).toEqual(nudge());
    expect(message?.Attributes?.MessageGroupId).toBe(agentId);
  });

  it('is never taken for a copy of another', async () => {
    const { queues, received, workQueueUrl } = await setUp();
    await queues.nudge([nudge(), nudge()]);
    await queues.nudge([nudge()]);
    expect(await received(workQueueUrl)).toHaveLength(3);
  });

  it('may be one of more than a batch holds', async () => {
    const { sqs, queues, workQueueUrl } = await setUp();
    await queues.nudge(Array.from({ length: 25 }, (_, i) => nudge(`agt_${i}`)));
    const command = new GetQueueAttributesCommand({ QueueUrl: workQueueUrl, AttributeNames: ['All'] });
    expect((await sqs.send(command)).Attributes?.ApproximateNumberOfMessages).toBe('25');
  });
});

describe('a timer', () => {
  it('comes when it is due, and not before', async () => {
    const { queues, received, pass, now, timersQueueUrl } = await setUp();
    await queues.nudgeAt(nudge(), now() + 1500, now());
    pass(1500);
    expect(await received(timersQueueUrl)).toEqual([]);
    pass(500);
    expect((await received(timersQueueUrl)).map((message) => JSON.parse(message.Body!))).toEqual([nudge()]);
  });

  it('that is overdue comes at once', async () => {
    const { queues, received, now, timersQueueUrl } = await setUp();
    await queues.nudgeAt(nudge(), now() - 5000, now());
    expect(await received(timersQueueUrl)).toHaveLength(1);
  });

  it('may be fifteen minutes ahead; later ones are left to the sweep', async () => {
    const { queues, received, pass, now, timersQueueUrl } = await setUp();
    await queues.nudgeAt(nudge(), now() + 900_000, now());
    await queues.nudgeAt(nudge('agt_late'), now() + 900_001, now());
    pass(2_000_000);
    expect(await received(timersQueueUrl)).toHaveLength(1);
  });
});

describe('a launch', () => {
  it('that is asked for twice is in the queue once', async () => {
    const { queues, received, launchesQueueUrl } = await setUp();
    await queues.requestLaunch(agentHead(tenant, agentId), runtimeId);
    await queues.requestLaunch(agentHead(tenant, agentId), runtimeId);
    await queues.requestLaunch(agentHead(tenant, agentId), otherRuntimeId);
    const bodies = (await received(launchesQueueUrl)).map((message) => JSON.parse(message.Body!));
    expect(bodies).toEqual([
      { tenant, kind: 'agent', id: agentId, runtimeId },
      { tenant, kind: 'agent', id: agentId, runtimeId: otherRuntimeId },
    ]);
  });
});

describe('a bell', () => {
  const runtime = { id: runtimeId, tenant, agentId };

  it('says in its tags whose it is', async () => {
    const { queues, sqs } = await setUp();
    await queues.createBell(runtime);
    const tags = await sqs.send(new ListQueueTagsCommand({ QueueUrl: queues.bellUrl(runtimeId) }));
    expect(tags.Tags).toEqual({ 'rouse:stack': 'rouse', 'rouse:tenant': tenant, 'rouse:agent': agentId });
  });

  it('is the queue that the runtime is told of, and rings', async () => {
    const { queues, received } = await setUp();
    await queues.createBell(runtime);
    await queues.createBell(runtime);
    await queues.ring(runtimeId);
    expect(queues.bellUrl(runtimeId)).toMatch(new RegExp(`/rouse-bell-${runtimeId}$`));
    expect((await received(queues.bellUrl(runtimeId))).map((message) => message.Body)).toEqual(['look']);
  });

  it('that is not heard is forgotten after a minute', async () => {
    const { queues, received, pass } = await setUp();
    await queues.createBell(runtime);
    await queues.ring(runtimeId);
    pass(60_001);
    expect(await received(queues.bellUrl(runtimeId))).toEqual([]);
  });

  it('that is gone may be rung and deleted again', async () => {
    const { queues } = await setUp();
    await queues.createBell(runtime);
    await queues.deleteBell(runtimeId);
    await queues.deleteBell(runtimeId);
    await queues.ring(runtimeId);
  });
});
