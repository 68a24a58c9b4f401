import { AwsError } from '../../errors.ts';
import type { ResourceType } from '../resource.ts';
import { callJson, callWire } from '../target.ts';

const queueAttributes = [
  ...['ContentBasedDeduplication', 'DeduplicationScope', 'DelaySeconds', 'FifoQueue', 'FifoThroughputLimit'],
  ...['MaximumMessageSize', 'MessageRetentionPeriod', 'ReceiveMessageWaitTimeSeconds', 'RedrivePolicy'],
  ...['RedriveAllowPolicy', 'VisibilityTimeout'],
];

const queue: ResourceType = {
  reads: ['QueueName', 'KmsMasterKeyId', ...queueAttributes],
  ignores: ['KmsDataKeyReusePeriodSeconds', 'SqsManagedSseEnabled', 'Tags'],
  async deploy(request) {
    const { target, properties } = request;
    const suffix = properties.FifoQueue === true || properties.FifoQueue === 'true' ? '.fifo' : '';
    const name = request.text('QueueName') ?? request.generatedName(80 - suffix.length) + suffix;
    const attributes: Record<string, string> = {};
    for (const attribute of queueAttributes) {
      const value = properties[attribute];
      if (value !== undefined)
        attributes[attribute] = typeof value === 'object' ? JSON.stringify(value) : String(value);
    }
    let url: string;
    try {
      url = (await callJson<{ QueueUrl: string }>(target, target.sqs, 'GetQueueUrl', { QueueName: name })).QueueUrl;
      const { FifoQueue: _fixed, ...changeable } = attributes;
      await callJson(target, target.sqs, 'SetQueueAttributes', { QueueUrl: url, Attributes: changeable });
    } catch (error) {
      if (!(error instanceof AwsError && /QueueDoesNotExist|NonExistentQueue/.test(error.code))) throw error;
      const input = { QueueName: name, Attributes: attributes };
      url = (await callJson<{ QueueUrl: string }>(target, target.sqs, 'CreateQueue', input)).QueueUrl;
    }
    target.encrypt(request.arn('sqs', name), request.text('KmsMasterKeyId'));
    return { physicalId: url, attributes: { Arn: request.arn('sqs', name), QueueName: name, QueueUrl: url } };
  },
  async remove(resource, target) {
    await callJson(target, target.sqs, 'DeleteQueue', { QueueUrl: resource.physicalId });
  },
};

const eventBus: ResourceType = {
  reads: ['Name'],
  ignores: ['Description', 'Tags', 'Policy'],
  async deploy(request) {
    const { target } = request;
    const name = request.required('Name');
    await unlessThere(() => callJson(target, target.events, 'CreateEventBus', { Name: name }));
    return { physicalId: name, attributes: { Arn: request.arn('events', `event-bus/${name}`), Name: name } };
  },
};

const rule: ResourceType = {
  reads: ['Name', 'EventBusName', 'EventPattern', 'State', 'Targets'],
  ignores: ['Description', 'RoleArn', 'Tags'],
  async deploy(request) {
    const { target, properties } = request;
    const name = request.text('Name') ?? request.generatedName(64);
    const bus = request.text('EventBusName');
    const scope = bus === undefined ? {} : { EventBusName: bus };
    await callJson(target, target.events, 'PutRule', {
      Name: name,
      ...scope,
      EventPattern: JSON.stringify(properties.EventPattern),
      State: properties.State ?? 'ENABLED',
    });
    const targets = list(properties.Targets);
    const kept = new Set(targets.map((one) => one.Id));
    const dropped = list(request.previous?.properties.Targets).filter((one) => !kept.has(one.Id));
    if (dropped.length > 0) {
      const Ids = dropped.map((one) => one.Id);
      await callJson(target, target.events, 'RemoveTargets', { Rule: name, ...scope, Ids });
    }
    if (targets.length > 0)
      await callJson(target, target.events, 'PutTargets', { Rule: name, ...scope, Targets: targets });
    const path = bus && bus !== 'default' ? `${bus}/${name}` : name;
    return { physicalId: path.replace('/', '|'), attributes: { Arn: request.arn('events', `rule/${path}`) } };
  },
  async remove({ physicalId, properties }, target) {
    const [name, bus] = physicalId.split('|').reverse();
    const scope = bus === undefined ? {} : { EventBusName: bus };
    const Ids = list(properties.Targets).map((one) => one.Id);
    if (Ids.length > 0) await callJson(target, target.events, 'RemoveTargets', { Rule: name, ...scope, Ids });
    await callJson(target, target.events, 'DeleteRule', { Name: name, ...scope });
  },
};

function list(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value : [];
}

const scheduleGroup: ResourceType = {
  reads: ['Name'],
  ignores: ['Tags'],
  async deploy(request) {
    const { target } = request;
    const name = request.text('Name') ?? request.generatedName(64);
    await unlessThere(() =>
      callWire(target, target.scheduler, { method: 'POST', path: `/schedule-groups/${name}`, body: {} }),
    );
    return { physicalId: name, attributes: { Arn: request.arn('scheduler', `schedule-group/${name}`) } };
  },
};

const schedule: ResourceType = {
  reads: [
    ...['Name', 'GroupName', 'ScheduleExpression', 'ScheduleExpressionTimezone', 'FlexibleTimeWindow', 'State'],
    ...['StartDate', 'EndDate', 'Target'],
  ],
  ignores: ['Description', 'KmsKeyArn'],
  async deploy(request) {
    const { target, properties } = request;
    const name = request.text('Name') ?? request.generatedName(64);
    const { Name: _name, ...input } = properties;
    const group = request.text('GroupName') ?? 'default';
    const path = `/schedules/${name}`;
    if (!request.previous) {
      await unlessThere(() => callWire(target, target.scheduler, { method: 'POST', path, body: input }));
    } else if (JSON.stringify(request.previous.properties) !== JSON.stringify(properties)) {
      await callWire(target, target.scheduler, { method: 'PUT', path, body: input });
    }
    return { physicalId: name, attributes: { Arn: request.arn('scheduler', `schedule/${group}/${name}`) } };
  },
  async remove(resource, target) {
    const query = { groupName: String(resource.properties.GroupName ?? 'default') };
    await callWire(target, target.scheduler, { method: 'DELETE', path: `/schedules/${resource.physicalId}`, query });
  },
};

async function unlessThere(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error) {
    if (!(error instanceof AwsError && /AlreadyExists|Conflict/.test(error.code))) throw error;
  }
}

export const messagingTypes: Record<string, ResourceType> = {
  'AWS::SQS::Queue': queue,
  'AWS::Events::EventBus': eventBus,
  'AWS::Events::Rule': rule,
  'AWS::Scheduler::ScheduleGroup': scheduleGroup,
  'AWS::Scheduler::Schedule': schedule,
};
