import { describe, expect, it } from 'vitest';
import { compileCondition } from '../../local/iam/condition.ts';
import { type Context, decide, GrantSet, grantsOf } from '../../local/iam/policy.ts';

const decisionOn = (statements: object[], action: string, resource: string, context: Context = {}) =>
  decide(new GrantSet(grantsOf('role', { Statement: statements }, 'Resource')).covering(action, resource, context));
const allow = (Action: string | string[], Resource: string | string[]) => ({ Effect: 'Allow', Action, Resource });

describe('a policy', () => {
  const queue = 'arn:aws:sqs:us-east-1:000000000000:bell-1';

  it.each([
    ['an action and a resource by name', allow('sqs:SendMessage', queue), 'allowed'],
    ['an action in other letters', allow('SQS:sendmessage', queue), 'allowed'],
    ['wildcards', allow('sqs:Send*', 'arn:aws:sqs:*:*:bell-?'), 'allowed'],
    ['one of several', allow(['sqs:A', 'sqs:SendMessage'], ['x', queue]), 'allowed'],
    ['another action', allow('sqs:ReceiveMessage', queue), 'not allowed'],
    ['another resource', allow('sqs:SendMessage', `${queue}2`), 'not allowed'],
    ['a resource in other letters', allow('sqs:SendMessage', queue.toUpperCase()), 'not allowed'],
    ['a dot, which is no wildcard', allow('sqs:SendMessage', queue.replace('-1', '.1')), 'not allowed'],
  ])('decides by %s', (_what, statement, decision) => {
    expect(decisionOn([statement], 'sqs:SendMessage', queue)).toBe(decision);
  });

  it('that denies wins over one that allows', () => {
    const statements = [allow('*', '*'), { Effect: 'Deny', Action: 'sqs:*', Resource: '*' }];
    expect(decisionOn(statements, 'sqs:SendMessage', queue)).toBe('denied');
    expect(decisionOn(statements, 'ssm:GetParameter', queue)).toBe('allowed');
  });

  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: that is how IAM names its variables
  it.each([
    [{ 'aws:principaltag/agent': 'a' }, 'allowed'],
    [{ 'aws:principaltag/agent': 'b' }, 'not allowed'],
    [{ 'aws:principaltag/agent': '*' }, 'not allowed'],
    [{}, 'not allowed'],
  ])('fills in the tags of a session: %j', (context, decision) => {
    const statement = allow('s3:GetObject', 'arn:aws:s3:::b/${aws:PrincipalTag/agent}/*');
    expect(decisionOn([statement], 's3:GetObject', 'arn:aws:s3:::b/a/file', context)).toBe(decision);
  });
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: that is how IAM names its variables

  it('says which of its elements is not known', () => {
    const statement = { Effect: 'Allow', Action: '*', NotResource: 'x', Resource: '*' };
    expect(() => decisionOn([statement], 'a:B', 'x')).toThrow('does not know NotResource in a policy (of role)');
  });

  it('counts which of its grants have decided', () => {
    const set = new GrantSet(grantsOf('role', { Statement: [allow(['a:A', 'a:B'], ['x', 'y'])] }, 'Resource'));
    decide(set.covering('a:B', 'y', {}));
    expect(set.grants.filter(({ uses }) => uses > 0)).toMatchObject([
      { action: { source: 'a:B' }, resource: { source: 'y' } },
    ]);
  });
});

describe('a condition', () => {
  const cluster = 'arn:aws:ecs:us-east-1:000000000000:cluster/c';

  it.each<[string, string, string[], Context, boolean]>([
    ['StringEquals', 'a:K', ['x', 'y'], { 'a:k': 'y' }, true],
    ['StringEquals', 'a:K', ['x*'], { 'a:k': 'xy' }, false],
    ['StringEquals', 'a:K', ['x'], {}, false],
    ['StringEqualsIfExists', 'a:K', ['x'], {}, true],
    ['StringEqualsIfExists', 'a:K', ['x'], { 'a:k': 'y' }, false],
    ['StringNotEquals', 'a:K', ['x', 'y'], { 'a:k': 'y' }, false],
    ['StringNotEquals', 'a:K', ['x'], {}, true],
    ['StringLike', 's3:prefix', ['agents/*'], { 's3:prefix': 'agents/a/b' }, true],
    ['StringLike', 's3:prefix', ['agents/*'], { 's3:prefix': 'other' }, false],
    ['StringLike', 's3:prefix', ['agents/*'], {}, false],
    ['StringLikeIfExists', 's3:prefix', ['agents/*'], {}, true],
    ['ArnEquals', 'ecs:cluster', [cluster], { 'ecs:cluster': cluster }, true],
    ['ArnLike', 'aws:SourceArn', ['arn:aws:ecs:*:*:cluster/*'], { 'aws:sourcearn': cluster }, true],
    ['ArnLike', 'aws:SourceArn', ['arn:aws:*:cluster/c'], { 'aws:sourcearn': cluster }, false],
    ['Null', 'aws:RequestTag/a', ['false'], { 'aws:requesttag/a': 'x' }, true],
    ['Null', 'aws:RequestTag/a', ['false'], {}, false],
    ['Null', 'aws:RequestTag/a', ['true'], {}, true],
    ['ForAllValues:StringEquals', 'aws:TagKeys', ['a', 'b'], { 'aws:tagkeys': ['a'] }, true],
    ['ForAllValues:StringEquals', 'aws:TagKeys', ['a', 'b'], { 'aws:tagkeys': ['a', 'c'] }, false],
    ['ForAllValues:StringEquals', 'aws:TagKeys', ['a', 'b'], {}, true],
    ['ForAnyValue:StringEquals', 'aws:TagKeys', ['a'], { 'aws:tagkeys': ['c', 'a'] }, true],
    ['ForAnyValue:StringEquals', 'aws:TagKeys', ['a'], {}, false],
    ['Bool', 'aws:SecureTransport', ['true'], { 'aws:securetransport': 'true' }, true],
  ])('%s of %s with %j and %j is %s', (operator, key, values, context, holds) => {
    expect(compileCondition(operator, key, values)(context)).toBe(holds);
  });

  it('with an operator that is not known is refused by name', () => {
    expect(() => compileCondition('IpAddress', 'aws:SourceIp', ['::1'])).toThrow('condition operator IpAddress');
  });
});
