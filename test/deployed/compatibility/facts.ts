import { setTimeout as sleep } from 'node:timers/promises';
import {
  ClientException,
  ConflictException,
  DescribeTasksCommand,
  InvalidParameterException,
  ListTasksCommand,
  RunTaskCommand,
  type RunTaskCommandInput,
  StopTaskCommand,
  type Task,
} from '@aws-sdk/client-ecs';
import {
  DeleteRuleCommand,
  PutRuleCommand,
  PutTargetsCommand,
  RemoveTargetsCommand,
} from '@aws-sdk/client-eventbridge';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  ListQueuesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { GetParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { expect } from 'vitest';
import type { ApiClient } from '../../e2e/support/client.ts';
import type { Clients } from '../clients.ts';
import type { Target } from '../target.ts';

/** What a check may use. */
export interface Scope {
  target: Target;
  clients: Clients;
  api: ApiClient;
  /** A task that ECS runs and no agent knows; it is stopped after the checks. */
  stray: () => Promise<Task>;
  /** What RunTask takes to launch such a task. */
  launch: RunTaskCommandInput;
  /** Credentials of the task role, as a container gets them, and its ECS task. */
  container: { credentials: { accessKeyId: string; secretAccessKey: string; sessionToken: string }; taskId: string };
}

/** Something that AWS does and Rouse relies on, or a test of it. */
export interface Fact {
  /** Names it in `differences.ts`. */
  id: string;
  service: string;
  operation: string;
  /** A sentence without its subject, which is the operation. */
  says: string;
  /** @throws where the server does otherwise */
  check(scope: Scope): Promise<void>;
}

const eventLimitMs = 15_000;

const refusal = (call: Promise<unknown>): Promise<Error> =>
  call.then(
    () => {
      throw new Error('It was not refused.');
    },
    (error: Error) => error,
  );

export const facts: readonly Fact[] = [
  {
    id: 'run-task-starts',
    service: 'ECS',
    operation: 'RunTask',
    says: 'answers with a task that is not RUNNING yet, and starts its containers',
    async check({ stray }) {
      expect(['PROVISIONING', 'PENDING']).toContain((await stray()).lastStatus);
    },
  },
  {
    id: 'run-task-token',
    service: 'ECS',
    operation: 'RunTask',
    says: 'gives the same task again for the same `clientToken`',
    async check({ clients: { ecs }, launch }) {
      const input = { ...launch, clientToken: `token-${Date.now()}` };
      const first = await ecs.send(new RunTaskCommand(input));
      const again = await ecs.send(new RunTaskCommand(input));
      expect(again.tasks?.[0]?.taskArn).toBe(first.tasks?.[0]?.taskArn);
    },
  },
  {
    id: 'run-task-token-conflict',
    service: 'ECS',
    operation: 'RunTask',
    says: 'refuses a used `clientToken` with other parameters by ConflictException, which names the task',
    async check({ clients: { ecs }, launch }) {
      const input = { ...launch, clientToken: `conflict-${Date.now()}` };
      const first = await ecs.send(new RunTaskCommand(input));
      const error = await refusal(ecs.send(new RunTaskCommand({ ...input, startedBy: 'another' })));
      expect(error).toBeInstanceOf(ConflictException);
      expect((error as ConflictException).resourceIds).toEqual([first.tasks?.[0]?.taskArn]);
    },
  },
  {
    id: 'run-task-unknown-definition',
    service: 'ECS',
    operation: 'RunTask',
    says: 'refuses an unknown task definition by ClientException',
    async check({ clients: { ecs }, launch }) {
      const error = await refusal(ecs.send(new RunTaskCommand({ ...launch, taskDefinition: 'rouse-no-such:1' })));
      expect(error).toBeInstanceOf(ClientException);
    },
  },
  {
    id: 'list-tasks-started-by',
    service: 'ECS',
    operation: 'ListTasks',
    says: 'finds tasks by `startedBy`',
    async check({ clients: { ecs }, stray, target }) {
      const { taskArn, startedBy } = await stray();
      const found = await ecs.send(new ListTasksCommand({ cluster: target.outputs.Cluster, startedBy }));
      expect(found.taskArns).toEqual([taskArn]);
    },
  },
  {
    id: 'describe-tasks-missing',
    service: 'ECS',
    operation: 'DescribeTasks',
    says: 'tells an unknown task by a failure with reason MISSING',
    async check({ clients: { ecs }, stray, target }) {
      const taskArn = (await stray()).taskArn!.replace(/[^/]+$/, '0123456789abcdef0123456789abcdef');
      const answer = await ecs.send(new DescribeTasksCommand({ cluster: target.outputs.Cluster, tasks: [taskArn] }));
      expect(answer.failures?.[0]).toMatchObject({ arn: taskArn, reason: 'MISSING' });
    },
  },
  {
    id: 'stop-task-gradual',
    service: 'ECS',
    operation: 'StopTask',
    says: 'answers before the task is STOPPED: its containers have their stop time-out first',
    async check({ clients: { ecs }, stray, target }) {
      const { taskArn } = await stray();
      const { task } = await ecs.send(new StopTaskCommand({ cluster: target.outputs.Cluster, task: taskArn }));
      expect(task?.desiredStatus).toBe('STOPPED');
      expect(task?.lastStatus).not.toBe('STOPPED');
    },
  },
  {
    id: 'stop-task-unknown',
    service: 'ECS',
    operation: 'StopTask',
    says: 'refuses an unknown task by InvalidParameterException',
    async check({ clients: { ecs }, target }) {
      const task = '0123456789abcdef0123456789abcdef';
      const error = await refusal(ecs.send(new StopTaskCommand({ cluster: target.outputs.Cluster, task })));
      expect(error).toBeInstanceOf(InvalidParameterException);
      expect(error.message).toMatch(/not found/i);
    },
  },
  {
    id: 'task-state-change-events',
    service: 'EventBridge',
    operation: 'ECS Task State Change',
    says: 'comes for each state of a task',
    async check(scope) {
      await withQueueOfRule(scope, async (QueueUrl) => {
        const { clients, launch } = scope;
        const { tasks } = await clients.ecs.send(new RunTaskCommand(launch));
        const taskArn = tasks![0]!.taskArn!;
        const limitMs = Date.now() + eventLimitMs;
        for (;;) {
          const { Messages = [] } = await clients.sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 1 }));
          if (Messages.some(({ Body }) => Body?.includes(taskArn))) return;
          if (Date.now() > limitMs) throw new Error(`No event of ${taskArn} within ${eventLimitMs / 1000} s.`);
        }
      });
    },
  },
  {
    id: 'session-of-a-task',
    service: 'STS',
    operation: 'GetCallerIdentity',
    says: "names a container's session after its ECS task",
    async check({ container, target }) {
      const sts = new STSClient({ ...optionsOf(target), credentials: container.credentials });
      const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
      expect(Arn).toMatch(new RegExp(`^arn:[^:]+:sts::\\d{12}:assumed-role/[^/]+/${container.taskId}$`));
    },
  },
  {
    id: 'signatures',
    service: 'STS',
    operation: 'GetCallerIdentity',
    says: 'refuses a signature by the wrong secret',
    async check({ container, target }) {
      const credentials = { ...container.credentials, secretAccessKey: 'wrong' };
      const sts = new STSClient({ ...optionsOf(target), credentials });
      const error = await refusal(sts.send(new GetCallerIdentityCommand({})));
      expect(error.name).toBe('SignatureDoesNotMatch');
    },
  },
  {
    id: 'permissions',
    service: 'IAM',
    operation: 'every call',
    says: 'is refused to a role whose policies do not allow it',
    async check({ container, target }) {
      const sqs = new SQSClient({ ...optionsOf(target), credentials: container.credentials });
      const error = await refusal(sqs.send(new ListQueuesCommand({})));
      expect(error.name).toMatch(/AccessDenied/);
    },
  },
  {
    id: 'trust-policies',
    service: 'STS',
    operation: 'AssumeRole',
    says: 'is refused to whom the trust policy of a role does not name',
    async check({ clients: { sts }, container, target }) {
      const own = new STSClient({ ...optionsOf(target), credentials: container.credentials });
      const { Arn = '' } = await own.send(new GetCallerIdentityCommand({}));
      const RoleArn = Arn.replace(':sts:', ':iam:').replace(/:assumed-role\/([^/]+)\/.*$/, ':role/$1');
      const error = await refusal(sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'a-person' })));
      expect(error.name).toMatch(/AccessDenied/);
    },
  },
  {
    id: 'put-object-if-none-match',
    service: 'S3',
    operation: 'PutObject',
    says: 'refuses an existing key with `If-None-Match: *` by PreconditionFailed',
    async check({ clients: { s3 }, target }) {
      const input = { Bucket: target.outputs.Bucket, Key: 'compatibility/once', Body: 'x' };
      await s3.send(new PutObjectCommand(input));
      const error = await refusal(s3.send(new PutObjectCommand({ ...input, IfNoneMatch: '*' })));
      expect(error.name).toBe('PreconditionFailed');
    },
  },
  {
    id: 'presigned-urls',
    service: 'S3',
    operation: 'presigned URLs',
    says: 'are refused when they were changed',
    async check({ api }) {
      const upload = await api.call<{ url: string; headers: Record<string, string> }>('POST', '/v1/uploads', {});
      const url = upload.url.replace(/X-Amz-Signature=[0-9a-f]{8}/, 'X-Amz-Signature=00000000');
      const answer = await fetch(url, { method: 'PUT', headers: upload.headers, body: 'x' });
      expect(answer.status).toBe(403);
    },
  },
  {
    id: 'put-parameter-once',
    service: 'SSM',
    operation: 'PutParameter',
    says: 'refuses an existing name without `Overwrite` by ParameterAlreadyExists',
    async check({ clients: { ssm }, target }) {
      const Name = target.outputs.AdminKeyParameter!;
      const error = await refusal(ssm.send(new PutParameterCommand({ Name, Value: 'x', Type: 'SecureString' })));
      expect(error.name).toBe('ParameterAlreadyExists');
    },
  },
  {
    id: 'secure-string',
    service: 'SSM',
    operation: 'GetParameter',
    says: 'gives a SecureString encrypted unless `WithDecryption` is asked for',
    async check({ clients: { ssm }, target }) {
      const { Parameter } = await ssm.send(new GetParameterCommand({ Name: target.outputs.AdminKeyParameter! }));
      expect(Parameter?.Value).not.toBe(target.apiKey);
    },
  },
  {
    id: 'api-host-name',
    service: 'API Gateway',
    operation: 'HTTP API endpoint',
    says: 'has a host name that DNS knows',
    async check({ target }) {
      expect(new URL(target.apiUrl).hostname).not.toMatch(/\.localhost$/);
    },
  },
];

function optionsOf({ endpointUrl, region }: Target): { region: string; endpoint?: string } {
  return { region, ...(endpointUrl && { endpoint: endpointUrl }) };
}

/** A queue that gets what a rule on ECS's events matches. */
async function withQueueOfRule({ clients, target }: Scope, use: (queueUrl: string) => Promise<void>): Promise<void> {
  const { events, sqs } = clients;
  const Name = `${target.prefix}-compatibility`;
  const { RuleArn } = await events.send(
    new PutRuleCommand({
      Name,
      EventPattern: JSON.stringify({ source: ['aws.ecs'], 'detail-type': ['ECS Task State Change'] }),
    }),
  );
  const Policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Service: 'events.amazonaws.com' },
        Action: 'sqs:SendMessage',
        Resource: '*',
        Condition: { ArnEquals: { 'aws:SourceArn': RuleArn } },
      },
    ],
  });
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: Name, Attributes: { Policy } }));
  try {
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
    await events.send(new PutTargetsCommand({ Rule: Name, Targets: [{ Id: 'queue', Arn: Attributes!.QueueArn! }] }));
    // A new rule takes effect after a moment.
    if (target.backend === 'AWS') await sleep(30_000);
    await use(QueueUrl!);
  } finally {
    await events.send(new RemoveTargetsCommand({ Rule: Name, Ids: ['queue'] })).catch(() => {});
    await events.send(new DeleteRuleCommand({ Name }));
    await sqs.send(new DeleteQueueCommand({ QueueUrl }));
  }
}
