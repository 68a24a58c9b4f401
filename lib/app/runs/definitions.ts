import { isDeepStrictEqual } from 'node:util';
import { conflict, notFound } from '../../domain/errors.ts';
import type { Definition, WorkflowVersion } from '../../domain/workflow.ts';
import type { Deps } from '../deps.ts';
import { Conflict, type Page } from '../ports.ts';

/** Puts the next version, unless nothing differs from the current one. Runs keep the version that they started with. */
export async function putWorkflow(
  deps: Deps,
  tenant: string,
  name: string,
  definition: Definition,
): Promise<{ workflow: WorkflowVersion; created: boolean }> {
  const current = await deps.workflows.get(tenant, name);
  if (current && isDeepStrictEqual(current.definition, plain(definition))) return { workflow: current, created: false };
  // Not the current one: whoever put the last may have died before it became current, and would be in the way for ever.
  const version = 1 + (await deps.workflows.lastVersion(tenant, name));
  const workflow: WorkflowVersion = { name, version, definition: plain(definition), createdMs: deps.now() };
  try {
    await deps.workflows.put(tenant, workflow);
  } catch (error) {
    if (!(error instanceof Conflict)) throw error;
    throw conflict(`The workflow "${name}" was changed at the same time. Read it and put it again.`);
  }
  return { workflow, created: true };
}

/** As it is stored: what is undefined is left out. */
function plain(definition: Definition): Definition {
  return JSON.parse(JSON.stringify(definition)) as Definition;
}

export async function getWorkflow(
  deps: Deps,
  tenant: string,
  name: string,
  version?: number | undefined,
): Promise<WorkflowVersion> {
  const current = await deps.workflows.get(tenant, name);
  const found = version === undefined || !current ? current : await deps.workflows.get(tenant, name, version);
  if (!found) throw notFound('workflow', version === undefined ? name : `${name}@${version}`);
  return found;
}

export function listWorkflows(
  deps: Deps,
  tenant: string,
  limit: number,
  before: string | undefined,
): Promise<Page<WorkflowVersion>> {
  return deps.workflows.page(tenant, limit, before);
}

/** Frees the name. Runs that are under way go on: they hold their version. */
export async function deleteWorkflow(deps: Deps, tenant: string, name: string): Promise<void> {
  await getWorkflow(deps, tenant, name);
  await deps.workflows.delete(tenant, name);
}
