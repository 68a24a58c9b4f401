import type { Authority } from './authority.ts';
import type { Access } from './policy.ts';

const on = (resource: string, ...actions: string[]): Access[] => actions.map((action) => ({ action, resource }));

/**
 * What Lambda does with a function's role besides running it: writing its log.
 * @throws Error when Lambda could not assume the role, or not write the log with it
 */
export function checkFunctionRole(iam: Authority, roleArn: string, logGroupArn: string): void {
  if (!iam.roleExists(roleArn)) return;
  if (!iam.trustsService(roleArn, 'lambda.amazonaws.com'))
    throw new Error('The role defined for the function cannot be assumed by Lambda.');
  check(iam, 'lambda', roleArn, on(`${logGroupArn}:log-stream:local`, 'logs:CreateLogStream', 'logs:PutLogEvents'));
}

/**
 * What an event source mapping needs of its function's role (developer guide: the policies AWSLambdaSQSQueueExecutionRole
 * and AWSLambdaDynamoDBExecutionRole, and "on-failure destinations").
 * @throws AwsError AccessDeniedException
 */
export function checkMappingRole(
  iam: Authority,
  roleArn: string,
  mapping: { id: string; eventSourceArn: string; onFailureDestinationArn: string | undefined },
): void {
  if (!iam.roleExists(roleArn)) return;
  const { eventSourceArn: source, onFailureDestinationArn: destination } = mapping;
  if (source.split(':')[2] === 'sqs') {
    check(iam, 'lambda', roleArn, on(source, 'sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'));
  } else {
    const reading = ['dynamodb:DescribeStream', 'dynamodb:GetShardIterator', 'dynamodb:GetRecords'];
    check(iam, 'lambda', roleArn, [...on(source, ...reading), ...on('*', 'dynamodb:ListStreams')]);
  }
  if (destination === undefined) return;
  const accesses =
    destination.split(':')[2] === 's3'
      ? [...on(`${destination}/aws/lambda/${mapping.id}/batch`, 's3:PutObject'), ...on(destination, 's3:ListBucket')]
      : on(destination, 'sqs:SendMessage');
  check(iam, 'lambda', roleArn, accesses);
}

/**
 * What Scheduler needs of a schedule's role to send to a target or to a dead-letter queue.
 * @throws AwsError AccessDeniedException
 */
export function checkScheduleRole(iam: Authority, roleArn: string, groupArn: string, targetArn: string): void {
  if (!iam.roleExists(roleArn)) return;
  const context = { 'aws:sourcearn': groupArn, 'aws:sourceaccount': groupArn.split(':')[4] };
  if (!iam.trustsService(roleArn, 'scheduler.amazonaws.com', context))
    throw iam.refuse(`The execution role ${roleArn} does not let EventBridge Scheduler assume it for ${groupArn}.`);
  const action = targetArn.split(':')[2] === 'sqs' ? 'sqs:SendMessage' : 'lambda:InvokeFunction';
  check(iam, 'scheduler', roleArn, on(targetArn, action));
}

/** A task about to start, as far as ECS needs its roles. */
export interface StartingTask {
  taskArn: string;
  executionRoleArn: string | undefined;
  taskRoleArn: string | undefined;
  images: string[];
  /** ARNs of what its containers log to. */
  logGroupArns: string[];
  /** ARNs of its secrets and parameters. */
  secretArns: string[];
}

/**
 * What ECS does with a task's roles before its containers run: pulling images, opening logs, reading secrets.
 * @throws Error that says what ECS could not do
 */
export function checkTaskRoles(iam: Authority, task: StartingTask): void {
  const { executionRoleArn, taskRoleArn } = task;
  const context = { 'aws:sourcearn': task.taskArn, 'aws:sourceaccount': task.taskArn.split(':')[4] };
  for (const roleArn of [executionRoleArn, taskRoleArn]) {
    if (roleArn === undefined || !iam.roleExists(roleArn)) continue;
    if (!iam.trustsService(roleArn, 'ecs-tasks.amazonaws.com', context))
      throw new Error(`ECS was unable to assume the role '${roleArn}' that was provided for this task.`);
  }
  if (executionRoleArn === undefined || !iam.roleExists(executionRoleArn)) return;
  const repositories = task.images.flatMap((image) => repositoryOf(image) ?? []);
  const pulling = ['ecr:BatchCheckLayerAvailability', 'ecr:GetDownloadUrlForLayer', 'ecr:BatchGetImage'];
  const logging = ['logs:CreateLogStream', 'logs:PutLogEvents'];
  check(iam, 'ecs', executionRoleArn, [
    ...(repositories.length > 0 ? on('*', 'ecr:GetAuthorizationToken') : []),
    ...repositories.flatMap((repository) => on(repository, ...pulling)),
    ...task.logGroupArns.flatMap((group) => on(`${group}:log-stream:local`, ...logging)),
    ...task.secretArns.flatMap((arn) =>
      on(arn, arn.split(':')[2] === 'ssm' ? 'ssm:GetParameters' : 'secretsmanager:GetSecretValue'),
    ),
  ]);
}

/** Of an image in ECR: `<account>.dkr.ecr.<region>.amazonaws.com/<name>:<tag>`. */
function repositoryOf(image: string): string | undefined {
  const [, account, region, name] = /^(\d{12})\.dkr\.ecr\.([\w-]+)\.[^/]+\/([^:@]+)/.exec(image) ?? [];
  return name === undefined ? undefined : `arn:aws:ecr:${region}:${account}:repository/${name}`;
}

function check(iam: Authority, service: string, roleArn: string, accesses: Access[]): void {
  for (const access of accesses) iam.authorizeService(service, roleArn, access);
}
