import { type Condition, compileCondition } from './condition.ts';
import { type Context, compilePattern, type Pattern } from './pattern.ts';

export type { Context } from './pattern.ts';

/** A policy as templates and AssumeRole give it. */
export interface PolicyDocument {
  Version?: string;
  Statement: unknown;
}

/** What is asked of IAM: may the principal do this to that? */
export interface Access {
  /** Such as `dynamodb:GetItem`. */
  action: string;
  resource: string;
  /** Condition keys of this access, in lower case. */
  context?: Context;
}

/** One action on one resource that a statement allows or denies: the smallest thing that can turn out to be unneeded. */
export class Grant {
  /** Name of the role or resource whose policy contains it. */
  readonly owner: string;
  /** Of its statement. */
  readonly sid: string | undefined;
  readonly effect: 'Allow' | 'Deny';
  readonly action: Pattern;
  readonly resource: Pattern;
  readonly conditions: readonly Condition[];
  /** Its conditions as the policy has them, or an empty text. */
  readonly condition: string;
  readonly principals: readonly PrincipalPattern[] | undefined;
  /** How often it has decided. */
  uses = 0;

  constructor(
    parts: Pick<Grant, 'owner' | 'sid' | 'effect' | 'action' | 'resource' | 'conditions' | 'condition' | 'principals'>,
  ) {
    this.owner = parts.owner;
    this.sid = parts.sid;
    this.effect = parts.effect;
    this.action = parts.action;
    this.resource = parts.resource;
    this.conditions = parts.conditions;
    this.condition = parts.condition;
    this.principals = parts.principals;
  }

  /** Whether it is about this resource, and its conditions hold. */
  covers(resource: string, context: Context): boolean {
    return this.resource.matches(resource, context) && this.conditions.every((condition) => condition(context));
  }
}

/** Who a policy of a resource, or the trust policy of a role, is about. */
export interface PrincipalPattern {
  kind: 'AWS' | 'Service';
  value: string;
}

const known = new Set(['Sid', 'Effect', 'Action', 'Resource', 'Principal', 'Condition']);

/**
 * The grants of a policy document.
 * @param needs what its statements must have: identity policies name resources, policies of resources name principals
 * @throws Error that names what is missing, wrong or unknown
 */
export function grantsOf(owner: string, document: PolicyDocument, needs: 'Resource' | 'Principal'): Grant[] {
  return list(document.Statement).flatMap((statement) => statementGrants(owner, statement, needs));
}

function statementGrants(owner: string, value: unknown, needs: 'Resource' | 'Principal'): Grant[] {
  const statement = value as Record<string, unknown>;
  for (const name of Object.keys(statement))
    if (!known.has(name)) throw new Error(`the embedded AWS does not know ${name} in a policy (of ${owner}).`);
  const { Sid, Effect: effect, Action, Resource, Principal, Condition: conditions } = statement;
  if (effect !== 'Allow' && effect !== 'Deny')
    throw new Error(`Effect in a policy of ${owner} must be Allow or Deny, received ${String(effect)}.`);
  if (Action === undefined || statement[needs] === undefined)
    throw new Error(`a statement in a policy of ${owner} needs Action and ${needs}: ${JSON.stringify(statement)}`);
  const shared = {
    owner,
    sid: Sid === undefined ? undefined : String(Sid),
    effect,
    conditions: compileConditions(conditions),
    condition: conditions === undefined ? '' : JSON.stringify(conditions),
    principals: Principal === undefined ? undefined : principalsOf(Principal),
  } as const;
  const resources = list(Resource ?? '*').map((resource) => compilePattern(String(resource)));
  return list(Action).flatMap((action) => {
    const pattern = compilePattern(String(action), { ignoreCase: true });
    return resources.map((resource) => new Grant({ ...shared, action: pattern, resource }));
  });
}

function compileConditions(value: unknown): Condition[] {
  return Object.entries((value ?? {}) as Record<string, Record<string, unknown>>).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, values]) => compileCondition(operator, key, list(values).map(String))),
  );
}

function principalsOf(value: unknown): PrincipalPattern[] {
  if (value === '*') return [{ kind: 'AWS', value: '*' }];
  return Object.entries(value as Record<string, unknown>).flatMap(([kind, values]) => {
    if (kind !== 'AWS' && kind !== 'Service')
      throw new Error(`the embedded AWS does not know principals of the kind ${kind}.`);
    return list(values).map((one) => ({ kind, value: String(one) }) as const);
  });
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);

/** The grants of a role or resource, found quickly by action. */
export class GrantSet {
  readonly grants: Grant[] = [];
  private readonly byAction = new Map<string, Grant[]>();

  constructor(grants: Grant[] = []) {
    this.add(grants);
  }

  add(grants: Grant[]): void {
    this.grants.push(...grants);
    this.byAction.clear();
  }

  /** The grants that cover an access; those that deny first. */
  covering(action: string, resource: string, context: Context): Grant[] {
    const found = this.about(action).filter((grant) => grant.covers(resource, context));
    return found.length > 1 ? found.sort((a, b) => (a.effect < b.effect ? 1 : a.effect > b.effect ? -1 : 0)) : found;
  }

  private about(action: string): Grant[] {
    let grants = this.byAction.get(action);
    if (!grants) {
      grants = this.grants.filter((grant) => grant.action.matches(action, {}));
      this.byAction.set(action, grants);
    }
    return grants;
  }
}

export type Decision = 'allowed' | 'denied' | 'not allowed';

/** An explicit denial wins; what nothing allows is not allowed. Counts the grants that decided. */
export function decide(covering: readonly Grant[], counts = true): Decision {
  const [first] = covering;
  if (!first) return 'not allowed';
  if (first.effect === 'Deny') {
    if (counts) first.uses += 1;
    return 'denied';
  }
  if (counts) for (const grant of covering) grant.uses += 1;
  return 'allowed';
}
