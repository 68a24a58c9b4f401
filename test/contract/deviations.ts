/** Claims that do not hold on a backend: what it does instead, and where AWS says otherwise. The run checks each entry. */
export interface Deviation {
  /** What the backend does. */
  does: string;
  /** AWS's documentation of what the claim says. */
  aws: string;
}

const unchecked = 'It takes it.';
const scheduleExpressions = 'EventBridge Scheduler User Guide, "Schedule types in EventBridge Scheduler"';

/** By the backend's name, then by `<service> <operation>: <claim>`. */
export const deviations: Readonly<Record<string, Readonly<Record<string, Deviation>>>> = {
  MiniStack: {
    'DynamoDB UpdateItem: a path that leads nowhere is refused': {
      does: 'It refuses it, and its message goes on with the name of the attribute.',
      aws: "DynamoDB Local's message",
    },
    'DynamoDB UpdateItem: a syntax error is refused by name': {
      does: 'It takes `==` for `=`.',
      aws: 'DynamoDB Developer Guide, "Using update expressions in DynamoDB"',
    },
    'DynamoDB Query: a filter may not name a key': {
      does: 'It filters by the key.',
      aws: 'DynamoDB Developer Guide, "Filter expressions for the Query operation"',
    },
    'ECS RegisterTaskDefinition: a size that Fargate does not have is refused': {
      does: unchecked,
      aws: 'ECS Developer Guide, "Task CPU and memory" of Fargate',
    },
    'ECS DescribeTaskDefinition: of a family is the newest that is active': {
      does: 'It shows the newest, also when that is inactive.',
      aws: 'API Reference, DescribeTaskDefinition: taskDefinition ("the latest ACTIVE revision")',
    },
    'ECS RunTask: a task has an ARN in its cluster, its overrides and its tags': {
      does: "A task's id is a UUID with dashes.",
      aws: 'ECS Developer Guide, "Amazon Resource Names (ARNs) and IDs"',
    },
    'ECS RunTask: a task gets the tags of its definition when they are to be propagated': {
      does: 'The task has only the tags of its own.',
      aws: 'ECS API Reference, RunTask: propagateTags',
    },
    'ECS RunTask: the same client token is the same task': {
      does: 'It starts another task.',
      aws: 'ECS API Reference, "Ensuring idempotency"',
    },
    'ECS RunTask: the same client token with other parameters names the task that there is': {
      does: 'It starts another task.',
      aws: 'ECS API Reference, RunTask: ConflictException',
    },
    'ECS RunTask: in a cluster that is not there is ClusterNotFoundException': {
      does: 'It runs the task.',
      aws: 'ECS API Reference, RunTask: ClusterNotFoundException',
    },
    'ECS RunTask: more than ten at once are refused': { does: unchecked, aws: 'ECS API Reference, RunTask: count' },
    'ECS RunTask: overrides of more than 8,192 characters are refused': {
      does: unchecked,
      aws: 'ECS API Reference, RunTask: overrides',
    },
    'ECS DescribeTasks: a task gets as far as RUNNING, with rising versions': {
      does: 'The version stays 1, and the task is RUNNING from the first.',
      aws: 'ECS API Reference, Task: version',
    },
    'EventBridge RemoveTargets: a target that is not there is a failed entry, not an error': {
      does: 'It counts as removed.',
      aws: 'EventBridge API Reference, RemoveTargets: FailedEntries',
    },
    'EventBridge DeleteRule: with targets is refused, without it is gone': {
      does: 'It deletes the rule with its targets.',
      aws: 'EventBridge API Reference, DeleteRule ("Before you can delete the rule, you must remove all targets")',
    },
    'EventBridge PutEvents: reports each entry for itself': {
      does: 'It takes a detail that is no JSON.',
      aws: 'EventBridge API Reference, PutEventsRequestEntry: Detail ("A valid JSON object")',
    },
    'EventBridge PutEvents: no entry, or eleven, are refused': {
      does: unchecked,
      aws: 'EventBridge API Reference, PutEvents: Entries (1 to 10)',
    },
    'S3 PutObject: a key of more than 1,024 bytes is refused': {
      does: unchecked,
      aws: 'S3 User Guide, "Naming Amazon S3 objects"',
    },
    'S3 CompleteMultipartUpload: a part below 5 MiB that is not the last is refused': {
      does: unchecked,
      aws: 'S3 API Reference, CompleteMultipartUpload: EntityTooSmall',
    },
    'Scheduler CreateSchedule: rate(0 minutes) is refused': { does: unchecked, aws: scheduleExpressions },
    'Scheduler CreateSchedule: cron(* * * *) is refused': { does: unchecked, aws: scheduleExpressions },
    'Scheduler CreateSchedule: cron(0 0 1 * 1 *) is refused': { does: unchecked, aws: scheduleExpressions },
    'Scheduler CreateSchedule: at(tomorrow) is refused': { does: unchecked, aws: scheduleExpressions },
    'Scheduler CreateSchedule: a time zone that is none is refused': { does: unchecked, aws: scheduleExpressions },
    'Scheduler UpdateSchedule: replaces all of it: what is left out has its default': {
      does: 'A description that is left out is an empty one.',
      aws: 'EventBridge Scheduler API Reference, UpdateSchedule ("uses all values, including empty values")',
    },
    'Scheduler ListSchedules: lists a group by prefix, in pages': {
      does: 'It knows no pages.',
      aws: 'EventBridge Scheduler API Reference, ListSchedules: MaxResults, NextToken',
    },
    'SQS SendMessageBatch: reports each entry for itself': {
      does: 'It takes a delay of 901 seconds.',
      aws: 'SQS API Reference, SendMessageBatchRequestEntry: DelaySeconds (0 to 900)',
    },
    'SQS DeleteMessage: by an old receipt handle of a standard queue is no error': {
      does: 'It refuses the handle when the message is gone.',
      aws: 'SQS API Reference, DeleteMessage ("the request succeeds, but the message might not be deleted")',
    },
    'SQS ChangeMessageVisibility: of a message that is not in flight is refused': {
      does: 'It hides the message again.',
      aws: 'SQS API Reference, ChangeMessageVisibility: MessageNotInflight',
    },
    'SQS PurgeQueue: twice within a minute is refused': {
      does: 'It purges again.',
      aws: 'SQS API Reference, PurgeQueue: PurgeQueueInProgress',
    },
    'SSM PutParameter: a standard parameter holds at most 4 KB': {
      does: unchecked,
      aws: 'Systems Manager API Reference, PutParameter: Value',
    },
    'STS GetCallerIdentity: an unknown access key is refused': {
      does: 'It takes every key for its administrator.',
      aws: 'STS API Reference, "Common errors": InvalidClientTokenId',
    },
  },
};
