import { type AskedCall, arnOf, passRole, type Resources, tagContext, text } from './access.ts';
import type { Access, Context } from './policy.ts';

type Input = Record<string, unknown>;

/** Tasks are authorized one by one, each with its cluster as `ecs:cluster`. */
export function ecsAccesses({ operation, input }: AskedCall, resources: Resources): Access[] | undefined {
  const clusterArn = arnOf(resources, 'ecs', `cluster/${last(text(input.cluster ?? 'default'))}`);
  const context = { 'ecs:cluster': clusterArn };
  const cluster = last(clusterArn);
  const action = `ecs:${operation}`;
  const task = (name: unknown) => ({
    action,
    resource: arnOf(resources, 'ecs', `task/${cluster}/${last(text(name))}`),
    context,
  });
  switch (operation) {
    case 'RunTask':
      return runTaskAccesses(input, cluster, context, resources);
    case 'RegisterTaskDefinition':
      return registerAccesses(input, resources);
    case 'StopTask':
      return [task(input.task)];
    case 'DescribeTasks':
      return [input.tasks ?? []].flat().map(task);
    case 'ListTasks':
      // Also on Fargate, where there are none.
      return [{ action, resource: arnOf(resources, 'ecs', `container-instance/${cluster}/*`), context }];
    case 'DescribeClusters':
      return [input.clusters ?? 'default'].flat().map((name) => ({
        action,
        resource: arnOf(resources, 'ecs', `cluster/${last(text(name))}`),
      }));
    case 'DescribeTaskDefinition':
    case 'DeregisterTaskDefinition':
      return [{ action, resource: '*' }];
    case 'TagResource':
    case 'ListTagsForResource':
      return [{ action, resource: text(input.resourceArn), context: ecsTags(input.tags) }];
    default:
      return undefined;
  }
}

/** The revision is not known yet, so that the resource is all of the family's. */
function registerAccesses(input: Input, resources: Resources): Access[] {
  const resource = arnOf(resources, 'ecs', `task-definition/${text(input.family)}:*`);
  const tags = ecsTags(input.tags);
  return [
    { action: 'ecs:RegisterTaskDefinition', resource, context: tags },
    ...tagging(resource, tags, 'RegisterTaskDefinition'),
    ...passed([input.taskRoleArn, input.executionRoleArn], resources),
  ];
}

function runTaskAccesses(input: Input, cluster: string, context: Context, resources: Resources): Access[] {
  const name = text(input.taskDefinition);
  const definition = resources.taskDefinition(name);
  const overrides = (input.overrides ?? {}) as Input;
  const tags = ecsTags(input.tags);
  const task = arnOf(resources, 'ecs', `task/${cluster}/*`);
  const resource = definition?.taskDefinitionArn ?? arnOf(resources, 'ecs', `task-definition/${last(name)}`);
  return [
    { action: 'ecs:RunTask', resource, context: { ...context, ...tags } },
    ...tagging(task, tags, 'RunTask'),
    ...passed(
      [overrides.taskRoleArn ?? definition?.taskRoleArn, overrides.executionRoleArn ?? definition?.executionRoleArn],
      resources,
    ),
  ];
}

/** Tags given at creation need permission to tag in the course of that creation. */
function tagging(resource: string, tags: Context, createAction: string): Access[] {
  if (Object.keys(tags).length === 0) return [];
  return [{ action: 'ecs:TagResource', resource, context: { ...tags, 'ecs:createaction': createAction } }];
}

function passed(roles: unknown[], { accountId }: Resources): Access[] {
  return roles
    .filter((role) => role !== undefined)
    .map((role) => (text(role).startsWith('arn:') ? text(role) : `arn:aws:iam::${accountId}:role/${text(role)}`))
    .map((roleArn) => passRole(roleArn, 'ecs-tasks.amazonaws.com'));
}

function ecsTags(tags: unknown): Context {
  const list = (tags ?? []) as { key: string; value?: string }[];
  return tagContext(Object.fromEntries(list.map(({ key, value }) => [key, value ?? ''])));
}

/** The last part of an ARN, or the name itself. */
const last = (name: string) => name.slice(name.lastIndexOf('/') + 1);
