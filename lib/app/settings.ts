import type { Agent } from '../domain/agent.ts';
import { type Budget, mergedBudget } from '../domain/budget.ts';
import { notFound } from '../domain/errors.ts';
import { withOverrides } from '../domain/settings.ts';
import type { Deps } from './deps.ts';
import type { Runtime, TemplateSpec } from './ports.ts';

/** The settings that a runtime was launched with: what is changed on its agent meanwhile is in force from the next wake. */
export function settingsOfRuntime(deps: Deps, agent: Agent, runtime: Runtime): Promise<TemplateSpec> {
  const { templateVersion, overrides = {} } = runtime;
  return settingsOf(deps, { ...agent, templateVersion, overrides });
}

/** What an agent may use in its life: also of one that has ended, and whose template is gone. */
export async function budgetOf(deps: Deps, agent: Agent): Promise<Budget> {
  const version = await deps.templates.get(agent.tenant, agent.template, agent.templateVersion);
  return (version && mergedBudget(withOverrides(version.spec, agent.overrides).budget)) ?? {};
}

/** What an agent's template version says, with what the agent has different. */
export async function settingsOf(deps: Deps, agent: Agent): Promise<TemplateSpec> {
  const version = await deps.templates.get(agent.tenant, agent.template, agent.templateVersion);
  if (!version) throw notFound('template version', `${agent.template}@${agent.templateVersion}`);
  return withOverrides(version.spec, agent.overrides);
}
