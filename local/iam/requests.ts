import { notEmulated } from '../errors.ts';
import type { WireRequest } from '../service.ts';
import {
  type AccessesOf,
  type AskedCall,
  anywhere,
  arnOf,
  passRole,
  type Resources,
  tagContext,
  text,
} from './access.ts';
import { ecsAccesses } from './ecs-requests.ts';
import type { Access } from './policy.ts';
import { s3Accesses } from './s3-requests.ts';

type Input = Record<string, unknown>;

/**
 * What a call needs permission for: actions, the resources that they are authorized on, and the condition keys that come
 * with them, as the Service Authorization Reference says.
 * @throws AwsError NotEmulated for an operation that is not listed here
 */
export function accessesOf(call: AskedCall, resources: Resources): Access[] {
  const accesses = services[call.service]?.(call, resources);
  if (!accesses) throw notEmulated('IAM', `what ${call.operation} of ${call.service} needs permission for`);
  return accesses;
}

const services: Readonly<Record<string, AccessesOf>> = {
  dynamodb: dynamoDbAccesses,
  sqs: sqsAccesses,
  s3: s3Accesses,
  ecs: ecsAccesses,
  sts: stsAccesses,
  ssm: ssmAccesses,
  events: eventsAccesses,
  scheduler: schedulerAccesses,
  secretsmanager: (call, resources) => {
    const id = text(call.input.SecretId ?? call.input.Name);
    const resource = id.startsWith('arn:') ? id : arnOf(resources, 'secretsmanager', `secret:${id}-??????`);
    return [{ action: `secretsmanager:${call.operation}`, resource }];
  },
  lambda: ({ request, operation }, resources) => {
    const name = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(request.path)?.[1];
    if (operation !== 'Invoke' || !name) return undefined;
    const decoded = decodeURIComponent(name);
    const resource = decoded.startsWith('arn:') ? decoded : arnOf(resources, 'lambda', `function:${decoded}`);
    return [{ action: 'lambda:InvokeFunction', resource }];
  },
  logs: ({ operation, input }, resources) => {
    const stream = operation === 'PutLogEvents' ? `:log-stream:${text(input.logStreamName)}` : ':*';
    const resource = arnOf(resources, 'logs', `log-group:${text(input.logGroupName)}${stream}`);
    return [{ action: `logs:${operation}`, resource }];
  },
};

const itemActions: Readonly<Record<string, string>> = {
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  ConditionCheck: 'ConditionCheckItem',
  Get: 'GetItem',
};

/** An index is a resource of its own; batches have an action of their own, transactions those of their items. */
function dynamoDbAccesses({ operation, input }: AskedCall, resources: Resources): Access[] {
  const tableArn = (name: unknown) =>
    text(name).startsWith('arn:') ? text(name) : arnOf(resources, 'dynamodb', `table/${text(name)}`);
  if (operation === 'BatchGetItem' || operation === 'BatchWriteItem')
    return Object.keys((input.RequestItems ?? {}) as Input).map((name) => ({
      action: `dynamodb:${operation}`,
      resource: tableArn(name),
    }));
  if (operation === 'TransactWriteItems' || operation === 'TransactGetItems')
    return records(input.TransactItems).flatMap((item) =>
      Object.entries(item).map(([kind, { TableName }]) => ({
        action: `dynamodb:${itemActions[kind] ?? kind}`,
        resource: tableArn(TableName),
      })),
    );
  if (operation === 'ListTables') return [anywhere('dynamodb:ListTables')];
  const index = input.IndexName === undefined ? '' : `/index/${text(input.IndexName)}`;
  return [{ action: `dynamodb:${operation}`, resource: tableArn(input.TableName) + index }];
}

/** Batches need the action of what they do many times. Tags at creation need `sqs:TagQueue` too. */
function sqsAccesses({ operation, input }: AskedCall, resources: Resources): Access[] {
  if (operation === 'ListQueues') return [anywhere('sqs:ListQueues')];
  const name = text(input.QueueName ?? input.QueueUrl)
    .split('/')
    .at(-1)!;
  const resource = arnOf(resources, 'sqs', name);
  const accesses = [{ action: `sqs:${operation.replace(/Batch$/, '')}`, resource }];
  const isTagged = operation === 'CreateQueue' && Object.keys((input.tags ?? {}) as Input).length > 0;
  return isTagged ? [...accesses, { action: 'sqs:TagQueue', resource }] : accesses;
}

/** Who may assume a role, its trust policy says too: see `Authority.mayAssume`. */
function stsAccesses({ operation, request }: AskedCall): Access[] | undefined {
  // "No permissions are required to perform this operation" (API reference).
  if (operation === 'GetCallerIdentity') return [];
  if (operation !== 'AssumeRole') return undefined;
  const input = new URLSearchParams(
    request.method === 'POST' ? Buffer.from(request.body).toString('utf8') : request.rawQuery,
  );
  const tags: Record<string, string> = {};
  for (let i = 1; input.has(`Tags.member.${i}.Key`); i++)
    tags[input.get(`Tags.member.${i}.Key`)!] = input.get(`Tags.member.${i}.Value`) ?? '';
  const resource = input.get('RoleArn') ?? '';
  const context = { ...tagContext(tags), 'sts:rolesessionname': input.get('RoleSessionName') ?? undefined };
  const accesses = [{ action: 'sts:AssumeRole', resource, context }];
  return Object.keys(tags).length > 0 ? [...accesses, { action: 'sts:TagSession', resource, context }] : accesses;
}

function ssmAccesses({ operation, input }: AskedCall, resources: Resources): Access[] {
  const action = `ssm:${operation}`;
  const names = [input.Names ?? input.Name ?? input.Path].flat().map(text);
  const accesses = names.map((name) => {
    const resource = name.startsWith('arn:') ? name : arnOf(resources, 'ssm', `parameter/${name.replace(/^\//, '')}`);
    return { action, resource };
  });
  if (operation !== 'PutParameter' || records(input.Tags).length === 0) return accesses;
  return [...accesses, ...accesses.map(({ resource }) => ({ action: 'ssm:AddTagsToResource', resource }))];
}

function eventsAccesses({ operation, input }: AskedCall, resources: Resources): Access[] | undefined {
  if (operation !== 'PutEvents') return undefined;
  const buses = new Set(records(input.Entries).map((entry) => text(entry.EventBusName ?? 'default')));
  return [...buses].map((bus) => ({
    action: 'events:PutEvents',
    resource: bus.startsWith('arn:') ? bus : arnOf(resources, 'events', `event-bus/${bus}`),
  }));
}

/** A schedule is made with a role, which its maker must be allowed to pass to Scheduler. */
function schedulerAccesses({ operation, request }: AskedCall, resources: Resources): Access[] | undefined {
  const action = `scheduler:${operation}`;
  if (operation === 'ListSchedules') return [{ action, resource: arnOf(resources, 'scheduler', 'schedule/*/*') }];
  if (!/^\w+$/.test(operation)) return undefined;
  const name = decodeURIComponent(request.path.split('/')[2] ?? '');
  if (operation.endsWith('ScheduleGroup'))
    return [{ action, resource: arnOf(resources, 'scheduler', `schedule-group/${name}`) }];
  const body = bodyOf(request);
  const group = text(body.GroupName ?? request.query.groupName ?? 'default');
  const accesses = [{ action, resource: arnOf(resources, 'scheduler', `schedule/${group}/${name}`) }];
  const role = (body.Target as Input | undefined)?.RoleArn;
  return role === undefined ? accesses : [...accesses, passRole(text(role), 'scheduler.amazonaws.com')];
}

/** What is not JSON, Scheduler refuses. */
function bodyOf(request: WireRequest): Input {
  try {
    return JSON.parse(Buffer.from(request.body).toString('utf8') || '{}');
  } catch {
    return {};
  }
}

const records = (value: unknown) => (value ?? []) as Record<string, { TableName?: unknown }>[];
