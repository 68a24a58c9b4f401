import { createHash, timingSafeEqual } from 'node:crypto';
import type { Agent } from '../domain/agent.ts';
import { enrol } from '../domain/agent-launch.ts';
import { costPerSecond } from '../domain/cost.ts';
import { RouseError, runtimeReplaced } from '../domain/errors.ts';
import { type Cause, commitAgent, retried } from './commit.ts';
import type { Deps } from './deps.ts';
import type { AwsCredentials, Runtime, TemplateSpec } from './ports.ts';
import { ownerOf } from './runtime-owner.ts';
import { settingsOfRuntime } from './settings.ts';
import { signToken, tokenLifeMs } from './token.ts';

export interface EnrolRequest {
  runtimeId: string;
  /** A standby does not know whose it is. */
  agentId?: string | undefined;
  tenant: string;
  nonce: string;
  identity: { headers: Record<string, string>; body: string };
}

/** What a runtime acts with. */
export interface Issued {
  token: string;
  tokenExpiresMs: number;
  credentials: AwsCredentials;
}

export interface Enrolment extends Issued {
  agent: Agent;
  runtime: Runtime;
  settings: TemplateSpec;
}

/** It is no agent's yet, and waits. */
export interface StandbyEnrolment extends Issued {
  runtime: Runtime;
}

const refused = (why: string) => new RouseError('identity_refused', `The runtime is not enrolled: ${why}.`);

/**
 * Takes a container in as its agent's runtime, or as a standby: it proves by a signature of its task role that it is the
 * very ECS task that was launched for the runtime. Works once; a repetition needs the same nonce, which only the shim
 * knows. A standby repeats it when its bell rings, and is an agent's runtime as soon as an agent has taken it over.
 */
export async function enrolRuntime(
  deps: Deps,
  tokenKey: string,
  request: EnrolRequest,
  by: Cause,
): Promise<Enrolment | StandbyEnrolment> {
  const runtime = await deps.runtimes.get(request.tenant, request.runtimeId);
  const isKnown = runtime && (runtime.pool === undefined ? runtime.agentId : undefined) === request.agentId;
  if (!isKnown) throw refused('it is not known');
  if (hasEnded(runtime)) throw runtimeReplaced(runtime.id);
  const taskArn = await provenTask(deps, runtime, request);
  const nonceHash = hash(request.nonce);
  const isFirst =
    runtime.nonceHash === undefined && (await deps.runtimes.enrolled(runtime, nonceHash, taskArn, deps.now()));
  const known = isFirst ? nonceHash : (await deps.runtimes.get(runtime.tenant, runtime.id))?.nonceHash;
  if (!known || !same(known, nonceHash)) throw refused('it has enrolled before, with another nonce');
  const { agentId } = runtime;
  if (agentId === undefined || (runtime.takenMs !== undefined && !(await isTakenOver(deps, runtime, agentId)))) {
    const standby = { ...runtime, agentId: undefined };
    if (isFirst) await deps.queues.nudge([ownerOf(runtime)]);
    return { runtime, ...(await issue(deps, tokenKey, standby)) };
  }
  const [agent, issued] = await Promise.all([takeIn(deps, runtime, agentId, by), issue(deps, tokenKey, runtime)]);
  return { agent, runtime, settings: await settingsOfRuntime(deps, agent, runtime), ...issued };
}

/** Its row says first who takes it over, then the agent's head: until then it waits. */
async function isTakenOver(deps: Deps, runtime: Runtime, agentId: string): Promise<boolean> {
  const agent = await deps.agents.get(runtime.tenant, agentId, { strong: true });
  if (agent?.retired.some((one) => one.id === runtime.id)) throw runtimeReplaced(runtime.id);
  return agent?.runtimeId === runtime.id;
}

/** How often it is written down that a standby asks. */
const seenEveryMs = 60_000;

/** A standby asks whether anybody has taken it over: then it has to enrol again. @throws RouseError runtime_replaced */
export async function askStandby(deps: Deps, me: { tenant: string; id: string }): Promise<{ taken: boolean }> {
  const runtime = await standbyOf(deps, me);
  const nowMs = deps.now();
  if (runtime.agentId !== undefined) return { taken: true };
  if (nowMs - (runtime.seenMs ?? runtime.enrolledMs ?? 0) >= seenEveryMs) await deps.runtimes.seen(runtime, nowMs);
  return { taken: false };
}

async function standbyOf(deps: Deps, me: { tenant: string; id: string }): Promise<Runtime> {
  const runtime = await deps.runtimes.get(me.tenant, me.id);
  if (!runtime || hasEnded(runtime)) throw runtimeReplaced(me.id);
  return runtime;
}

/** Its pool has let go of it, or knows it to be dead. Of any other runtime, its agent's head knows. */
function hasEnded({ pool, status, dismissedMs }: Runtime): boolean {
  return pool !== undefined && (status === 'ended' || dismissedMs !== undefined);
}

/** A new token and new credentials, for the holder of the nonce. */
export async function renew(
  deps: Deps,
  tokenKey: string,
  me: { tenant: string; id: string; agentId?: string | undefined },
  nonce: string,
): Promise<Issued> {
  const runtime = await deps.runtimes.get(me.tenant, me.id);
  if (!runtime?.nonceHash || !same(runtime.nonceHash, hash(nonce))) throw refused('its nonce is another one');
  if (me.agentId === undefined) return issue(deps, tokenKey, { ...(await standbyOf(deps, me)), agentId: undefined });
  const agent = await deps.agents.get(me.tenant, me.agentId, { strong: true });
  if (agent?.runtimeId !== me.id) throw runtimeReplaced(me.id);
  return issue(deps, tokenKey, runtime);
}

async function takeIn(deps: Deps, runtime: Runtime, agentId: string, by: Cause): Promise<Agent> {
  return retried(async () => {
    const agent = await deps.agents.get(runtime.tenant, agentId, { strong: true });
    if (agent?.runtimeId !== runtime.id) throw runtimeReplaced(runtime.id);
    if (agent.status === 'running' || agent.status === 'stopping') return agent;
    if (agent.status !== 'starting') throw runtimeReplaced(runtime.id);
    const settings = await settingsOfRuntime(deps, agent, runtime);
    const usdPerSecond = costPerSecond(settings, settings.concurrency);
    return commitAgent(deps, agent, enrol(agent, deps.now(), usdPerSecond), by);
  });
}

async function issue(deps: Deps, tokenKey: string, { tenant, agentId, id }: Runtime): Promise<Issued> {
  const tokenExpiresMs = deps.now() + tokenLifeMs;
  const token = signToken({ tenant, agentId, runtimeId: id, expiresMs: tokenExpiresMs }, tokenKey);
  return { token, tokenExpiresMs, credentials: await deps.identities.credentialsFor({ tenant, agentId, id }) };
}

/** The ARN of the ECS task that signed the request, if it is the one that was launched for this runtime. */
async function provenTask(deps: Deps, runtime: Runtime, request: EnrolRequest): Promise<string> {
  const headers = Object.fromEntries(
    Object.entries(request.identity.headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const signed = /SignedHeaders=([^,\s]+)/.exec(headers.authorization ?? '')?.[1]?.split(';') ?? [];
  for (const name of ['host', 'x-rouse-api', 'x-rouse-runtime']) {
    if (!signed.includes(name)) throw refused(`the signature does not cover the header ${name}`);
  }
  // A signature that was made for another API, or for another runtime, must not work here.
  if (headers['x-rouse-api'] !== deps.config.apiUrl) throw refused('it was signed for another API');
  if (headers['x-rouse-runtime'] !== runtime.id) throw refused('it was signed for another runtime');
  const caller = await deps.identities.verify(request.identity);
  const session = /^arn:[\w-]+:sts::(\d{12}):assumed-role\/([^/]+)\/([^/]+)$/.exec(caller?.arn ?? '');
  if (!session) throw refused('AWS does not confirm the signature');
  const [, accountId, roleName, taskId] = session;
  // Anybody can name a role and its session like ours, in an account of their own.
  if (accountId !== runtime.taskRoleArn.split(':')[4]) throw refused('it was signed in another account');
  if (roleName !== runtime.taskRoleArn.split('/').at(-1)) throw refused('it was signed with another role');
  const launched = runtime.taskArn === undefined ? await deps.runner.find(runtime) : [runtime.taskArn];
  const taskArn = launched.find((arn) => arn.endsWith(`/${taskId}`));
  if (!taskArn) throw refused('it was signed by another task');
  return taskArn;
}

function hash(nonce: string): string {
  return createHash('sha256').update(nonce).digest('hex');
}

function same(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
