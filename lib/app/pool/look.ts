import { poolHead } from '../../domain/head.ts';
import { codeOfName, newId } from '../../domain/id.ts';
import { decide, type Pool, type PoolCommand, type PoolDecision, rearm, shortage, surplus } from '../../domain/pool.ts';
import { bySystem, type Cause } from '../commit.ts';
import type { Deps } from '../deps.ts';
import { Conflict, type Runtime, type TemplateVersion } from '../ports.ts';
import { lookAtRetired } from '../reconcile/retired.ts';
import { act, type Effect, earliest } from '../reconcile/step.ts';
import { commitPool } from './commit.ts';
import { type Finding, judge } from './judge.ts';
import { differInPoolOnly, launchParameters } from './launch-parameters.ts';

/** A hundred standbys are launched in ten turns. */
const rounds = 20;
/** Until the last turn of a look has found out when the next one is needed. */
const againMs = 60_000;

/** What one turn has seen. */
interface Sight {
  deps: Deps;
  pool: Pool;
  /** Its standbys' rows by their ids. */
  rows: Map<string, Runtime>;
  template: TemplateVersion | undefined;
  nowMs: number;
  by: Cause;
}

/**
 * Reads how many standbys a template wants and which there are, and launches, welcomes, replaces and stops them until
 * they are as many. May be called at any time, any number of times, by several at once.
 */
export async function lookAtPool(deps: Deps, tenant: string, template: string, cause: string): Promise<void> {
  const by = bySystem('dispatch', cause);
  for (let round = 0; round < rounds; round++) {
    const pool = await deps.pools.get(tenant, template, { strong: true });
    if (!pool) return;
    try {
      if (!(await turn(deps, pool, by))) return;
    } catch (error) {
      // Somebody else was faster; what is there now may want something else.
      if (!(error instanceof Conflict)) throw error;
    }
  }
  await deps.due.lower(poolHead(tenant, template), deps.now() + 1000);
}

/** One look and what follows from it. True when there is more to do. */
async function turn(deps: Deps, pool: Pool, by: Cause): Promise<boolean> {
  const nowMs = deps.now();
  const retired = await lookAtRetired(deps, pool.tenant, pool.retired, 'its pool has let it go', nowMs);
  if (retired) {
    await act(deps, poolHead(pool.tenant, pool.id), retired.cleanups);
    await commitPool(deps, pool, rearm(pool, { retired: retired.retired, dueAtMs: nowMs + againMs }), by);
    return true;
  }
  const [template, runtimes] = await Promise.all([
    deps.templates.get(pool.tenant, pool.id),
    deps.runtimes.getAll(
      pool.tenant,
      pool.standbys.map(({ id }) => id),
    ),
  ]);
  const rows = new Map(runtimes.map((runtime) => [runtime.id, runtime]));
  const sight = { deps, pool, rows, template, nowMs, by };
  const findings = await judgeAll(sight);
  // First what has happened, then what is wanted because of it.
  if (await carryOut(sight, [aimOf(template), ...findings.flatMap(({ command }) => command ?? [])])) return true;
  if (await carryOut(sight, (await spare(sight)) ?? (await launches(sight)))) return true;
  await lookLater(sight, findings);
  return false;
}

function aimOf(template: TemplateVersion | undefined): PoolCommand {
  return { type: 'aim', wanted: template?.spec.warmPool ?? 0, templateVersion: template?.version };
}

async function judgeAll({ deps, pool, rows, template }: Sight): Promise<Finding[]> {
  const longestLifeMs = (template?.spec.maxLifetimeSeconds ?? Number.POSITIVE_INFINITY) * 1000;
  const findings: Finding[] = [];
  for (const standby of pool.standbys) findings.push(await judge(deps, standby, rows.get(standby.id), longestLifeMs));
  return findings;
}

/** Standbys that are not wanted any more, or undefined. */
async function spare({ deps, pool, template }: Sight): Promise<PoolCommand[] | undefined> {
  const outdated = new Set<number>();
  for (const version of new Set(pool.standbys.map(({ templateVersion }) => templateVersion))) {
    const own = await deps.templates.get(pool.tenant, pool.id, version);
    if (!own || !template || (version !== template.version && !differInPoolOnly(own, template))) outdated.add(version);
  }
  const found = surplus(pool, ({ templateVersion }) => outdated.has(templateVersion));
  return found.length > 0 ? found.map((one) => ({ type: 'dismiss', ...one })) : undefined;
}

/** Everything that a launch sends is decided here, once. The rows first: a pool never points to what nobody can launch. */
async function launches({ deps, pool, template, nowMs }: Sight): Promise<PoolCommand[]> {
  const count = shortage(pool, nowMs);
  if (count === 0 || !template) return [];
  const ids = Array.from({ length: count }, () =>
    newId('runtime', nowMs, deps.random, codeOfName(`${pool.tenant}/${pool.id}`)),
  );
  await Promise.all(
    ids.map((id) =>
      deps.runtimes.create({
        id,
        pool: pool.id,
        tenant: pool.tenant,
        createdMs: nowMs,
        templateVersion: template.version,
        ...launchParameters(template),
        status: 'intended',
      }),
    ),
  );
  return ids.map((runtimeId) => ({ type: 'launch', runtimeId }));
}

/** @returns whether anything has changed, or could not be changed because something else has */
async function carryOut(sight: Sight, wanted: readonly PoolCommand[]): Promise<boolean> {
  const { deps, pool, nowMs, by } = sight;
  const commands: PoolCommand[] = [];
  for (const command of wanted) if (await isPossible(sight, command)) commands.push(command);
  const decision = decide(pool, commands, nowMs);
  if (decision.pool === pool) return commands.length < wanted.length;
  const head = poolHead(pool.tenant, pool.id);
  await act(deps, head, commands.flatMap(cleanupsOf));
  await commitPool(deps, pool, dueIn(decision, nowMs + againMs), by);
  await act(deps, head, commands.flatMap(effectsOf));
  return true;
}

/** Who lets go of a runtime says so in its row first: from then on no agent takes it over. */
async function isPossible({ deps, rows, nowMs }: Sight, command: PoolCommand): Promise<boolean> {
  if (command.type !== 'dismiss' && (command.type !== 'lose' || command.dead)) return true;
  const runtime = rows.get(command.runtimeId);
  return !runtime || deps.runtimes.dismiss(runtime, nowMs);
}

function cleanupsOf(command: PoolCommand): Effect[] {
  if (command.type !== 'lose' || !command.dead) return [];
  const { runtimeId } = command;
  return [
    { type: 'end_runtime', runtimeId },
    { type: 'delete_bell', runtimeId },
  ];
}

function effectsOf(command: PoolCommand): Effect[] {
  if (command.type === 'dismiss') return [{ type: 'ring', runtimeId: command.runtimeId }];
  return command.type === 'launch' ? [{ type: 'request_launch', runtimeId: command.runtimeId }] : [];
}

function dueIn(decision: PoolDecision, dueAtMs: number | undefined): PoolDecision {
  return { ...decision, pool: { ...decision.pool, dueAtMs } };
}

/** Nothing to do now: the next look is when there will be something to see, to the second where a launch waits for it. */
async function lookLater({ deps, pool, nowMs, by }: Sight, findings: readonly Finding[]): Promise<void> {
  const head = poolHead(pool.tenant, pool.id);
  const resent = pool.standbys.filter((_, i) => findings[i]?.resend);
  await act(
    deps,
    head,
    resent.map(({ id }) => ({ type: 'request_launch', runtimeId: id })),
  );
  const lacks = pool.standbys.length < pool.wanted;
  const dueAtMs = earliest(
    ...findings.map(({ lookMs }) => lookMs),
    ...pool.retired.map(({ checkMs }) => checkMs),
    lacks ? Math.max(pool.notBeforeMs ?? 0, nowMs + 1000) : undefined,
  );
  if (dueAtMs === pool.dueAtMs) return;
  await commitPool(deps, pool, rearm(pool, { dueAtMs }), by);
  if (lacks && dueAtMs !== undefined) await act(deps, head, [{ type: 'timer', atMs: dueAtMs }]);
}
