import type { Agent } from '../domain/agent.ts';
import { archive, restore } from '../domain/agent-archive.ts';
import { whySpent } from '../domain/agent-budget.ts';
import { recover } from '../domain/agent-failure.ts';
import { abandonLaunch } from '../domain/agent-launch.ts';
import { create, hold, resume, terminate, update } from '../domain/agent-life.ts';
import { beginStop } from '../domain/agent-stop.ts';
import { rearm, requireStatus } from '../domain/agent-transition.ts';
import { agentArchived, agentTerminated, conflict, invalid, RouseError } from '../domain/errors.ts';
import type { EventDraft } from '../domain/event.ts';
import { idOf } from '../domain/id.ts';
import { contradictionIn, withOverrides } from '../domain/settings.ts';
import { isHeld, type LiveTask } from '../domain/task.ts';
import { type Cause, carry, changeAgent, existingAgent } from './commit.ts';
import type { Deps } from './deps.ts';
import { Conflict, type Page, type TemplateVersion } from './ports.ts';
import { settingsOf } from './settings.ts';

export interface CreateAgent {
  template: string;
  templateVersion?: number | undefined;
  name?: string | undefined;
  overrides?: Record<string, unknown> | undefined;
  labels: Record<string, string>;
  start: boolean;
}

/** Makes an agent. The same `seed` makes the same agent again, so a replay finishes what a crash cut off. */
export async function createAgent(
  deps: Deps,
  tenant: string,
  seed: string,
  command: CreateAgent,
  by: Cause,
): Promise<Agent> {
  const template = await templateFor(deps, tenant, command.template, command.templateVersion);
  refuseContradiction(template, command.overrides);
  const id = idOf('agent', seed);
  const { agent, events } = create({
    id,
    tenant,
    name: command.name ?? id,
    template: template.name,
    templateVersion: template.version,
    overrides: command.overrides ?? {},
    labels: { ...template.spec.labels, ...command.labels },
    start: command.start,
    nowMs: deps.now(),
  });
  return putAgent(deps, agent, events, by);
}

/** Puts a new agent unless it is there already. */
export async function putAgent(deps: Deps, agent: Agent, events: EventDraft[], by: Cause): Promise<Agent> {
  const { tenant, id } = agent;
  await deps.templates.addUser(tenant, agent.template, id);
  try {
    await deps.agents.create(agent, carry(deps, events, by));
  } catch (error) {
    if (!(error instanceof Conflict)) throw error;
    const existing = await deps.agents.get(tenant, id, { strong: true });
    if (!existing) throw conflict('The new agent collided with another one. Try again.');
    return existing;
  }
  if (agent.dueAtMs !== undefined) await deps.queues.nudge([{ tenant, kind: 'agent', id }]);
  return agent;
}

export interface PatchAgent {
  name?: string | undefined;
  labels?: Record<string, string> | undefined;
  overrides?: Record<string, unknown> | undefined;
  templateVersion?: number | undefined;
}

export async function patchAgent(
  deps: Deps,
  tenant: string,
  agentId: string,
  patch: PatchAgent,
  by: Cause,
): Promise<Agent> {
  const before = await existingAgent(deps, tenant, agentId);
  const changesSettings = patch.templateVersion !== undefined || patch.overrides !== undefined;
  if (changesSettings && before.status !== 'terminated') {
    const version = patch.templateVersion ?? before.templateVersion;
    refuseContradiction(await templateFor(deps, tenant, before.template, version), patch.overrides ?? before.overrides);
  }
  const change = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
  return changeAgent(deps, tenant, agentId, by, (agent) => update(agent, change, deps.now()));
}

/** Stops it, now or when its tasks are done; a held agent does not wake for work. */
export async function pauseAgent(
  deps: Deps,
  tenant: string,
  agentId: string,
  options: { force: boolean; hold: boolean },
  by: Cause,
): Promise<Agent> {
  if (!options.force) await refuseWhileTasksRun(deps, await existingAgent(deps, tenant, agentId));
  if (options.hold)
    await changeAgent(deps, tenant, agentId, by, (agent) =>
      agent.held ? { agent, events: [] } : hold(agent, deps.now()),
    );
  const agent = await changeAgent(deps, tenant, agentId, by, (agent) => {
    requireStatus(agent, 'pause', ['paused', 'starting', 'running', 'stopping']);
    if (agent.status === 'starting') return abandonLaunch(agent, 'paused', 'paused by request', deps.now());
    if (agent.status === 'paused' || (agent.status === 'stopping' && !options.force))
      return agent.wanted ? rearm(agent, { wanted: undefined }) : { agent, events: [] };
    return beginStop(agent, 'paused', options.force, 'pause requested', deps.now());
  });
  await act(deps, agent);
  return agent;
}

async function refuseWhileTasksRun(deps: Deps, agent: Agent): Promise<void> {
  const running: string[] = [];
  for await (const tasks of deps.tasks.queue(agent.tenant, agent.id))
    running.push(...tasks.filter(isHeld).map((task) => task.id));
  if (running.length === 0) return;
  const detail = `${running.length} task${running.length === 1 ? ' runs' : 's run'} on this agent. Wait, or pause with "force": true, which gives them back to the queue.`;
  throw new RouseError('tasks_running', detail, { extra: { taskIds: running.slice(0, 20) } });
}

export async function resumeAgent(deps: Deps, tenant: string, agentId: string, by: Cause): Promise<Agent> {
  const agent = await changeAgent(deps, tenant, agentId, by, async (agent) => {
    const decision = resume(agent, deps.now());
    const spent = whySpent(agent, (await settingsOf(deps, agent)).budget);
    if (spent) throw new RouseError('budget_exceeded', `The agent can't be resumed: ${spent}.`);
    return decision;
  });
  await act(deps, agent);
  return agent;
}

export async function recoverAgent(deps: Deps, tenant: string, agentId: string, by: Cause): Promise<Agent> {
  const agent = await changeAgent(deps, tenant, agentId, by, (agent) => recover(agent, deps.now()));
  await act(deps, agent);
  return agent;
}

/** Puts away an agent that is not running: it takes no work, and only its current files are kept. */
export async function archiveAgent(deps: Deps, tenant: string, agentId: string, by: Cause): Promise<Agent> {
  const agent = await changeAgent(deps, tenant, agentId, by, (agent) => {
    if (agent.copy)
      throw conflict(`The workspace of the agent "${agentId}" is still being copied. Try again when it is.`);
    return archive(agent, deps.now());
  });
  await act(deps, agent);
  return agent;
}

export async function restoreAgent(deps: Deps, tenant: string, agentId: string, by: Cause): Promise<Agent> {
  const agent = await changeAgent(deps, tenant, agentId, by, (agent) => restore(agent, deps.now()));
  await act(deps, agent);
  return agent;
}

/** The end of an agent: its runtime is stopped, its tasks are cancelled, its workspace is removed. */
export async function terminateAgent(deps: Deps, tenant: string, agentId: string, by: Cause): Promise<Agent> {
  const agent = await changeAgent(deps, tenant, agentId, by, (agent) => {
    const nowMs = deps.now();
    switch (agent.status) {
      case 'terminated':
        return { agent, events: [] };
      case 'starting':
        return abandonLaunch(agent, 'terminated', 'terminated', nowMs);
      case 'running':
      case 'stopping':
        return agent.goal === 'terminated'
          ? { agent, events: [] }
          : beginStop(agent, 'terminated', true, 'termination requested', nowMs);
      default:
        return terminate(agent, nowMs);
    }
  });
  await act(deps, agent);
  return agent;
}

/** A shim that is up learns from its bell; all else is reconcile's. */
async function act(deps: Deps, agent: Agent): Promise<void> {
  if (agent.status === 'stopping' && agent.runtimeId) await deps.queues.ring(agent.runtimeId);
  else await deps.queues.nudge([{ tenant: agent.tenant, kind: 'agent', id: agent.id }]);
}

/** @throws RouseError agent_terminated or agent_archived when it takes no work. */
export function requireTakesWork(agent: Agent): void {
  if (agent.status === 'terminated' || agent.goal === 'terminated') throw agentTerminated(agent.id);
  if (agent.status === 'archived') throw agentArchived(agent.id);
}

export interface AgentFilter {
  status: readonly string[];
  template: readonly string[];
  label: readonly { key: string; value: string }[];
}

/** A filter reads this many rows for a page at most; the cursor goes on from there. */
const rowsPerPage = 1000;

/** Newest first. Terminated agents are shown only when asked for. */
export async function listAgents(
  deps: Deps,
  tenant: string,
  filter: AgentFilter,
  limit: number,
  before: string | undefined,
): Promise<Page<Agent>> {
  const matches = (agent: Agent) =>
    (filter.status.length ? filter.status.includes(agent.status) : agent.status !== 'terminated') &&
    (filter.template.length === 0 || filter.template.includes(agent.template)) &&
    filter.label.every(({ key, value }) => agent.labels[key] === value);
  return filteredPage(
    (size, from) => deps.agents.page(tenant, size, from),
    matches,
    (agent) => agent.id,
    limit,
    before,
  );
}

/** One page of what matches, from a list that knows no filter. It may be short, but never ends before the list does. */
export async function filteredPage<T>(
  read: (limit: number, before: string | undefined) => Promise<Page<T>>,
  matches: (item: T) => boolean,
  idOfItem: (item: T) => string,
  limit: number,
  before: string | undefined,
): Promise<Page<T>> {
  const items: T[] = [];
  let from = before;
  for (let rows = 0; rows < rowsPerPage; ) {
    const size = Math.min(100, Math.max(limit, 25));
    const page = await read(size, from);
    for (const item of page.items) {
      if (items.length === limit) return { items, next: idOfItem(items.at(-1)!) };
      if (matches(item)) items.push(item);
    }
    rows += size;
    from = page.next;
    if (from === undefined) return { items, next: undefined };
  }
  return { items, next: from };
}

/** Unfinished tasks of an agent, counted from its live rows. */
export async function countTasks(deps: Deps, agent: Agent): Promise<{ queued: number; running: number }> {
  let queued = 0;
  let running = 0;
  const count = (task: LiveTask) => {
    if (task.status === 'queued') queued += 1;
    else if (isHeld(task)) running += 1;
  };
  for await (const tasks of deps.tasks.queue(agent.tenant, agent.id)) tasks.forEach(count);
  return { queued, running };
}

/** Each field of the overrides was checked by itself when it came in. */
function refuseContradiction({ spec }: TemplateVersion, overrides: Record<string, unknown> = {}): void {
  const found = contradictionIn(withOverrides(spec, overrides));
  if (found) throw invalid(found.path, found.message);
}

async function templateFor(deps: Deps, tenant: string, name: string, version: number | undefined) {
  const found = await deps.templates.get(tenant, name, version);
  if (found) return found;
  if (version === undefined)
    throw invalid(
      'template',
      `Received "${name}"; there is no template with this name. PUT /v1/templates/${name} makes it.`,
    );
  throw invalid('templateVersion', `Received ${version}; the template "${name}" has no such version.`);
}
