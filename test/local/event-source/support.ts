import { CreateTableCommand, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { DynamoDbService } from '../../../local/services/dynamodb/service.ts';
import { compilePattern } from '../../../local/services/events/pattern.ts';
import { failureDestination, queuePort, streamPort } from '../../../local/services/lambda/event-source/adapters.ts';
import { EventSourceMappings, type MappingDefinition } from '../../../local/services/lambda/event-source/mappings.ts';
import { InProcessRunner } from '../../../local/services/lambda/in-process-runner.ts';
import { LambdaService } from '../../../local/services/lambda/service.ts';
import { S3Service } from '../../../local/services/s3/service.ts';
import { SqsService } from '../../../local/services/sqs/service.ts';
import type { Store } from '../../../local/store.ts';
import { client, makeEnvironment, makeWire } from '../../support/embedded.ts';

export interface SqsEvent {
  Records: { messageId: string; body: string; eventSourceARN: string; attributes: Record<string, string> }[];
}
export interface StreamEvent {
  Records: {
    eventName: string;
    dynamodb: { SequenceNumber: string; Keys: Record<string, { S: string }>; NewImage: Record<string, { S: string }> };
  }[];
}

export const functionArn = 'arn:aws:lambda:us-east-1:000000000000:function:fn';

export function mappingsOn(
  environment: ReturnType<typeof makeEnvironment>,
  services: { sqs: SqsService; s3: S3Service; dynamodb: DynamoDbService; lambda: LambdaService },
) {
  return new EventSourceMappings(environment, {
    queue: queuePort(services.sqs),
    stream: streamPort(services.dynamodb),
    invoke: (arn, event) => services.lambda.invokeWhenFree(arn, event),
    destination: failureDestination(environment, services.s3, services.sqs),
    compile: compilePattern,
  });
}

export async function setUp<Event>(handler: (event: Event) => unknown, store?: Store) {
  const environment = makeEnvironment({ store });
  const sqs = new SqsService(environment);
  const s3 = new S3Service(environment);
  const dynamodb = new DynamoDbService(environment);
  let current = handler;
  const lambda = new LambdaService(
    environment,
    (fn) => new InProcessRunner(fn, (event) => current(event as Event), environment.clock),
  );
  const rest = {
    roleArn: '',
    codeFolder: '',
    handler: '',
    environment: {},
    timeoutSeconds: 10,
    memoryMiB: 128,
    logGroup: '',
  };
  await lambda.define({ logicalId: 'Fn', name: 'fn', arn: functionArn, ...rest });
  const services = { sqs, s3, dynamodb, lambda };
  const wire = makeWire(environment, sqs, s3, dynamodb);
  const mappings = mappingsOn(environment, services);
  mappings.startAll();
  const settled = () => environment.activity.settled();
  const advance = async (ms: number) => {
    const until = environment.clock.now() + ms;
    await settled();
    while (environment.clock.step(until)) await settled();
  };
  const handle = (next: (event: Event) => unknown) => {
    current = next;
  };
  return { environment, wire, services, mappings, settled, advance, handle };
}

export async function withQueue(
  handler: (event: SqsEvent) => unknown,
  attributes: Record<string, string> = {},
  mapping: Partial<MappingDefinition> = {},
) {
  const world = await setUp(handler);
  const sdk = client(SQSClient, world.wire);
  const name = attributes.FifoQueue ? 'work.fifo' : 'work';
  const deadLetterName = attributes.FifoQueue ? 'dead.fifo' : 'dead';
  const deadLetters =
    attributes.RedrivePolicy === undefined
      ? undefined
      : await sdk.send(
          new CreateQueueCommand({
            QueueName: deadLetterName,
            Attributes: attributes.FifoQueue ? { FifoQueue: 'true' } : {},
          }),
        );
  const { QueueUrl } = await sdk.send(
    new CreateQueueCommand({ QueueName: name, Attributes: { VisibilityTimeout: '60', ...attributes } }),
  );
  const eventSourceArn = world.services.sqs.queueArn(name);
  world.mappings.define({
    id: 'queue',
    eventSourceArn,
    functionArn,
    functionResponseTypes: ['ReportBatchItemFailures'],
    ...mapping,
  });
  const send = async (MessageBody: string, MessageGroupId?: string) => {
    const dedupe =
      MessageGroupId === undefined ? {} : { MessageGroupId, MessageDeduplicationId: `${MessageBody}-${Math.random()}` };
    await sdk.send(new SendMessageCommand({ QueueUrl, MessageBody, ...dedupe }));
  };
  const left = async () => {
    const AttributeNames = ['ApproximateNumberOfMessages' as const, 'ApproximateNumberOfMessagesNotVisible' as const];
    const { Attributes } = await sdk.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }));
    return Object.values(Attributes ?? {}).reduce((sum, count) => sum + Number(count), 0);
  };
  return { ...world, sdk, QueueUrl, deadLetterUrl: deadLetters?.QueueUrl, send, left };
}

export async function withStream(
  handler: (event: StreamEvent) => unknown,
  mapping: Partial<MappingDefinition> = {},
  store?: Store,
) {
  const world = await setUp(handler, store);
  const sdk = client(DynamoDBClient, world.wire);
  await sdk.send(
    new CreateTableCommand({
      TableName: 'state',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
      ],
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
    }),
  );
  const definition: MappingDefinition = {
    id: 'stream',
    eventSourceArn: world.services.dynamodb.streamArn('state')!,
    functionArn,
    startingPosition: 'TRIM_HORIZON',
    functionResponseTypes: ['ReportBatchItemFailures'],
    ...mapping,
  };
  world.mappings.define(definition);
  const put = (pk: string, sk: string) =>
    sdk.send(new PutItemCommand({ TableName: 'state', Item: { pk: { S: pk }, sk: { S: sk } } }));
  return { ...world, definition, put };
}

export const bodies = (event: SqsEvent) => event.Records.map((record) => record.body);
export const rows = (event: StreamEvent) =>
  event.Records.map(({ dynamodb }) => dynamodb.Keys.pk!.S + dynamodb.Keys.sk!.S);
