import type { WireRequest } from '../service.ts';
import type { Access, Context } from './policy.ts';

/** A call, as far as what it needs permission for depends on it. */
export interface AskedCall {
  service: string;
  operation: string;
  /** Of a JSON protocol; others are read from `request`. */
  input: Record<string, unknown>;
  request: WireRequest;
}

/** What names in requests stand for. */
export interface Resources {
  region: string;
  accountId: string;
  /** Of the customer's KMS key that a table, bucket, queue, parameter or secret is encrypted with, if it is. */
  keyArn(resourceArn: string): string | undefined;
  /** Undefined when there is no such task definition. */
  taskDefinition(
    name: string,
  ): { taskDefinitionArn: string; taskRoleArn?: string; executionRoleArn?: string } | undefined;
}

/** Undefined for an operation that is not known. */
export type AccessesOf = (call: AskedCall, resources: Resources) => Access[] | undefined;

/** `arn:aws:<service>:<region>:<account>:<rest>` */
export function arnOf({ region, accountId }: Resources, service: string, rest: string): string {
  return `arn:aws:${service}:${region}:${accountId}:${rest}`;
}

/** For actions that know no resources. */
export function anywhere(action: string): Access {
  return { action, resource: '*' };
}

/** Whoever gives a role to a service must be allowed to pass it. */
export function passRole(roleArn: string, service: string): Access {
  return { action: 'iam:PassRole', resource: roleArn, context: { 'iam:passedtoservice': service } };
}

/** Keys for tags that a request sets. */
export function tagContext(tags: Record<string, string>): Context {
  const names = Object.keys(tags);
  const context: Record<string, string | string[]> = names.length > 0 ? { 'aws:tagkeys': names } : {};
  for (const name of names) context[`aws:requesttag/${name.toLowerCase()}`] = tags[name]!;
  return context;
}

export const text = (value: unknown): string => String(value ?? '');
