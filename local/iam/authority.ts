import { AwsError } from '../errors.ts';
import type { Principal } from '../service.ts';
import { readRequest } from '../services/s3/request.ts';
import type { AskedCall, Resources } from './access.ts';
import { keyAccesses } from './key-accesses.ts';
import {
  type Access,
  type Context,
  type Decision,
  decide,
  type Grant,
  GrantSet,
  grantsOf,
  type PolicyDocument,
} from './policy.ts';
import { accessesOf } from './requests.ts';
import { bucketArn } from './s3-requests.ts';

/** A grant of a role, and how often it has decided. */
export interface GrantUse {
  /** Name of the role. */
  role: string;
  action: string;
  resource: string;
  /** As JSON; empty without any. */
  condition: string;
  uses: number;
}

interface HeldRole {
  name: string;
  arn: string;
  identity: GrantSet;
  trust: GrantSet;
}

/** Errors that services with an older protocol call otherwise. */
const accessDenied: Readonly<Record<string, { code: string; status: number }>> = {
  s3: { code: 'AccessDenied', status: 403 },
  sts: { code: 'AccessDenied', status: 403 },
  sqs: { code: 'AccessDenied', status: 403 },
  lambda: { code: 'AccessDeniedException', status: 403 },
  scheduler: { code: 'AccessDeniedException', status: 403 },
};

const maxRefusals = 100;
const maxSessionPolicies = 1_000;

/** Decides what role sessions may do, by the roles and policies of the deployed template. Others may do everything. */
export class Authority {
  /** What was refused so far, the first hundred: who asks may have swallowed the error. */
  readonly refusals: string[] = [];
  private readonly resources: Resources;
  private readonly roles = new Map<string, HeldRole>();
  private readonly resourcePolicies = new Map<string, GrantSet>();
  private readonly permits = new Map<string, Map<string, object>>();
  private readonly sessionPolicies = new Map<string, GrantSet>();

  constructor(resources: Resources) {
    this.resources = resources;
  }

  /** Adds a role, or puts it in the place of the one before, without any policies. */
  putRole(arn: string, trust: PolicyDocument): void {
    const name = arn.slice(arn.lastIndexOf('/') + 1);
    const held = { name, arn, identity: new GrantSet(), trust: new GrantSet(grantsOf(name, trust, 'Principal')) };
    this.roles.set(arn, held);
  }

  removeRole(arn: string): void {
    this.roles.delete(arn);
  }

  roleExists(arn: string): boolean {
    return this.roles.has(arn);
  }

  /** @throws Error for a role that is not there, or a policy that is not understood */
  attachPolicy(roleName: string, document: PolicyDocument): void {
    const role = [...this.roles.values()].find(({ name }) => name === roleName);
    if (!role) throw new Error(`there is no role ${roleName} to attach a policy to.`);
    role.identity.add(grantsOf(roleName, document, 'Resource'));
  }

  /** The policy of a queue, bucket or function, by the resource's ARN. */
  putResourcePolicy(arn: string, document: PolicyDocument): void {
    this.resourcePolicies.set(arn, new GrantSet(grantsOf(arn, document, 'Principal')));
  }

  /** Adds a statement to the policy of a function, unless it is there. */
  permit(functionArn: string, statement: object): void {
    const statements = this.permits.get(functionArn) ?? new Map<string, object>();
    this.permits.set(functionArn, statements.set(JSON.stringify(statement), statement));
    this.putResourcePolicy(functionArn, { Statement: [...statements.values()] });
  }

  /** @throws AwsError as the called service refuses what is not allowed */
  authorize(call: AskedCall, principal: Principal | undefined): void {
    if (!principal?.roleArn) return;
    for (const access of accessesOf(call, this.resources)) {
      this.require(call.service, principal, access);
      for (const onKey of keyAccesses(access, this.resources, call)) this.require(call.service, principal, onKey);
    }
  }

  /** S3 tells only those that a key is not there who may list the bucket. */
  disguise(error: unknown, call: AskedCall, principal: Principal | undefined): unknown {
    if (!principal?.roleArn || !(error instanceof AwsError) || error.code !== 'NoSuchKey') return error;
    const access = { action: 's3:ListBucket', resource: bucketArn(readRequest(call.request).bucket) };
    const decision = this.decide(principal, access, false);
    return decision === 'allowed' ? error : refusal(call.service, principal, access, decision);
  }

  /** Whether a session may do this, without counting what allows it as used. */
  may(principal: Principal, access: Access): boolean {
    return this.decide(principal, access, false) === 'allowed';
  }

  /**
   * What an AWS service does with a role that was given to it, such as Lambda that polls a queue for a function.
   * @throws AwsError AccessDeniedException when the role's policies do not allow it
   */
  authorizeService(service: string, roleArn: string, access: Access): void {
    const principal = {
      arn: `arn:aws:sts::${this.resources.accountId}:assumed-role/${nameOf(roleArn)}/${service}`,
      roleArn,
      tags: {},
    };
    for (const one of [access, ...keyAccesses(access, this.resources)]) this.require(service, principal, one);
  }

  /** An error for what no policy of a session decides. */
  refuse(message: string): AwsError {
    if (this.refusals.length < maxRefusals) this.refusals.push(message);
    return new AwsError('AccessDeniedException', message, 403);
  }

  /** Whether a function's own policy lets an AWS service invoke it, on behalf of a rule or a route. */
  mayInvoke(service: string, functionArn: string, sourceArn: string): boolean {
    const context = { 'aws:sourcearn': sourceArn, 'aws:sourceaccount': this.resources.accountId };
    const covering = this.resourcePolicies.get(functionArn)?.covering('lambda:InvokeFunction', functionArn, context);
    return decide((covering ?? []).filter((grant) => isAbout(grant, 'Service', [service]))) === 'allowed';
  }

  /** Whether the trust policy of a role lets an AWS service, such as `lambda.amazonaws.com`, assume it. */
  trustsService(roleArn: string, service: string, context: Context = {}): boolean {
    const covering = this.roles.get(roleArn)?.trust.covering('sts:AssumeRole', roleArn, context) ?? [];
    return decide(covering.filter((grant) => isAbout(grant, 'Service', [service]))) === 'allowed';
  }

  /** The grants of all roles, or of those whose name contains `roleName`. */
  grants(roleName = ''): GrantUse[] {
    return [...this.roles.values()]
      .filter(({ name }) => name.includes(roleName))
      .flatMap(({ name, identity }) =>
        identity.grants.map(({ action, resource, condition, uses }) => ({
          role: name,
          action: action.source,
          resource: resource.source,
          condition,
          uses,
        })),
      );
  }

  used(roleName?: string): GrantUse[] {
    return this.grants(roleName).filter(({ uses }) => uses > 0);
  }

  /** What nothing has needed so far. */
  unused(roleName?: string): GrantUse[] {
    return this.grants(roleName).filter(({ uses }) => uses === 0);
  }

  /** Sids of the statements that have decided so far, in policies of roles and resources and in trust policies. */
  usedStatements(): Set<string> {
    const roles = [...this.roles.values()].flatMap(({ identity, trust }) => [identity, trust]);
    const grants = [...roles, ...this.resourcePolicies.values()].flatMap((set) => set.grants);
    return new Set(grants.flatMap(({ sid, uses }) => (sid !== undefined && uses > 0 ? [sid] : [])));
  }

  private require(service: string, principal: Principal, access: Access): void {
    const decision = this.decide(principal, access);
    if (decision === 'allowed') return;
    const error = refusal(service, principal, access, decision);
    if (this.refusals.length < maxRefusals) this.refusals.push(error.message);
    throw error;
  }

  private decide(principal: Principal, access: Access, counts = true): Decision {
    const { action, resource } = access;
    const context = contextOf(principal, access, this.resources);
    const identity = this.roles.get(principal.roleArn ?? '')?.identity.covering(action, resource, context) ?? [];
    const byIdentity = decide(identity, counts);
    const session = this.sessionPolicy(principal)?.covering(action, resource, context);
    const bySession = session === undefined ? 'allowed' : decide(session, counts);
    if (byIdentity === 'denied' || bySession === 'denied') return 'denied';
    const identityAllows = byIdentity === 'allowed' && bySession === 'allowed';
    if (action === 'sts:AssumeRole' || action === 'sts:TagSession')
      return this.byTrust(principal, access, context, identityAllows, counts);
    const byResource = this.byResourcePolicy(principal, access, context, counts);
    if (byResource === 'denied') return 'denied';
    return identityAllows || byResource === 'allowed' ? 'allowed' : 'not allowed';
  }

  /** The role's trust policy must agree; when it names the caller's role itself, nothing else must (same account). */
  private byTrust(
    principal: Principal,
    { action, resource }: Access,
    context: Context,
    identityAllows: boolean,
    counts: boolean,
  ): Decision {
    const covering = this.roles.get(resource)?.trust.covering(action, resource, context) ?? [];
    const named = covering.filter((grant) => isAbout(grant, 'AWS', [principal.roleArn ?? '', principal.arn]));
    const decision = decide(named, counts);
    if (decision !== 'not allowed') return decision;
    const account = covering.filter((grant) => isAbout(grant, 'AWS', accountOf(this.resources)));
    const byAccount = decide(account, counts);
    return byAccount === 'allowed' && !identityAllows ? 'not allowed' : byAccount;
  }

  private byResourcePolicy(
    principal: Principal,
    { action, resource }: Access,
    context: Context,
    counts: boolean,
  ): Decision {
    if (this.resourcePolicies.size === 0) return 'not allowed';
    const owner = resource.startsWith('arn:aws:s3:::') ? resource.split('/')[0]! : resource;
    const covering = this.resourcePolicies.get(owner)?.covering(action, resource, context) ?? [];
    const callers = [principal.roleArn ?? '', principal.arn];
    // A policy that allows the account leaves it to the account's own policies; one that denies it denies everyone in it.
    const about = covering.filter((grant) =>
      isAbout(grant, 'AWS', grant.effect === 'Deny' ? [...callers, ...accountOf(this.resources)] : callers),
    );
    return decide(about, counts);
  }

  private sessionPolicy({ sessionPolicy }: Principal): GrantSet | undefined {
    if (sessionPolicy === undefined) return undefined;
    let set = this.sessionPolicies.get(sessionPolicy);
    if (!set) {
      if (this.sessionPolicies.size >= maxSessionPolicies) this.sessionPolicies.clear();
      set = new GrantSet(grantsOf('a session', JSON.parse(sessionPolicy) as PolicyDocument, 'Resource'));
      this.sessionPolicies.set(sessionPolicy, set);
    }
    return set;
  }
}

function isAbout({ principals }: Grant, kind: 'AWS' | 'Service', values: readonly string[]): boolean {
  return (principals ?? []).some((one) => one.kind === kind && (one.value === '*' || values.includes(one.value)));
}

/** How a policy names everyone in an account whom the account lets. */
const accountOf = ({ accountId }: Resources) => [accountId, `arn:aws:iam::${accountId}:root`];

/** Keys about the caller are made once a session: they are the same in all of its requests. */
const principalContexts = new WeakMap<Principal, Context>();

function contextOf(principal: Principal, access: Access, { accountId, region }: Resources): Context {
  let own = principalContexts.get(principal);
  if (!own) {
    own = principalContext(principal, accountId, region);
    principalContexts.set(principal, own);
  }
  return access.context ? { ...own, ...access.context } : own;
}

function principalContext(principal: Principal, accountId: string, region: string): Context {
  const tags = Object.entries(principal.tags).map(([key, value]) => [`aws:principaltag/${key.toLowerCase()}`, value]);
  return {
    ...Object.fromEntries(tags),
    'aws:principalarn': principal.roleArn ?? principal.arn,
    'aws:principalaccount': accountId,
    'aws:requestedregion': region,
    'aws:securetransport': 'true',
  };
}

function refusal(service: string, principal: Principal, { action, resource }: Access, decision: Decision): AwsError {
  const { code, status } = accessDenied[service] ?? { code: 'AccessDeniedException', status: 400 };
  const because =
    decision === 'denied'
      ? 'with an explicit deny in an identity-based policy'
      : `because no identity-based policy allows the ${action} action`;
  const message = `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${resource} ${because}`;
  return new AwsError(code, message, status);
}

const nameOf = (roleArn: string) => roleArn.slice(roleArn.lastIndexOf('/') + 1);
