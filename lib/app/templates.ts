import { isDeepStrictEqual } from 'node:util';
import { conflict, invalid, notFound, RouseError } from '../domain/errors.ts';
import type { Deps } from './deps.ts';
import { aroundPoolChange } from './pool/ensure.ts';
import { Conflict, type Page, type TemplateSpec, type TemplateVersion } from './ports.ts';

/** Roles and secrets that any deployment allows: those made for agents. */
const agentRolePath = /^arn:[\w-]+:iam::\d{12}:role\/rouse-agent\//;
const agentSecretNames = [
  /^arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:\/?rouse-agent\//,
  /^arn:[\w-]+:ssm:[\w-]+:\d{12}:parameter\/rouse-agent\//,
];

/** Puts the next version, unless nothing differs from the current one. */
export async function putTemplate(
  deps: Deps,
  tenant: string,
  name: string,
  spec: TemplateSpec,
): Promise<{ template: TemplateVersion; created: boolean }> {
  refuseForeign(deps, spec);
  const current = await deps.templates.get(tenant, name);
  return aroundPoolChange(deps, tenant, name, [current?.spec, spec], () => put(deps, tenant, name, spec, current));
}

async function put(
  deps: Deps,
  tenant: string,
  name: string,
  spec: TemplateSpec,
  current: TemplateVersion | undefined,
): Promise<{ template: TemplateVersion; created: boolean }> {
  if (current && isDeepStrictEqual(current.spec, spec)) return { template: current, created: false };
  const registered = await register(deps, tenant, name, spec, current);
  // Not the current one: whoever put the last may have died before it became current, and would be in the way for ever.
  const version = 1 + (await deps.templates.lastVersion(tenant, name));
  const template: TemplateVersion = { name, version, spec, ...registered, createdMs: deps.now() };
  try {
    await deps.templates.put(tenant, template);
  } catch (error) {
    if (!(error instanceof Conflict)) throw error;
    throw conflict(`The template "${name}" was changed at the same time. Read it and put it again.`);
  }
  return { template, created: true };
}

/** A version that is launched like the one before it keeps its task definition, and can take over its standbys. */
async function register(
  deps: Deps,
  tenant: string,
  name: string,
  spec: TemplateSpec,
  current: TemplateVersion | undefined,
): Promise<Pick<TemplateVersion, 'taskDefinitionArn' | 'taskRoleArn' | 'definitionHash'>> {
  const definitionHash = deps.taskDefinitions.hash({ tenant, name, spec });
  if (current?.definitionHash === definitionHash) {
    const { taskDefinitionArn, taskRoleArn } = current;
    return { taskDefinitionArn, taskRoleArn, definitionHash };
  }
  try {
    return { ...(await deps.taskDefinitions.register({ tenant, name, spec })), definitionHash };
  } catch (error) {
    // AWS registers one task definition a second (aws-facts 1.2).
    if (!(error instanceof Error && error.name === 'ThrottlingException')) throw error;
    throw new RouseError('throttled', 'AWS registers one template version a second. Try again.', {
      retryAfterSeconds: 2,
      cause: error,
    });
  }
}

/** Only roles and secrets that are meant for agents: a template must not be a way to anything else in the account. */
function refuseForeign(deps: Deps, spec: TemplateSpec): void {
  const { allowedTaskRoleArns, allowedSecretArns } = deps.config;
  const role = spec.taskRoleArn;
  if (role !== null && !agentRolePath.test(role) && !allowedTaskRoleArns.some((pattern) => fits(role, pattern))) {
    throw invalid(
      'taskRoleArn',
      `Received "${role}"; roles with the path /rouse-agent/ are allowed, and ${shown(allowedTaskRoleArns)} by this deployment.`,
    );
  }
  for (const [variable, arn] of Object.entries(spec.secrets)) {
    if (
      agentSecretNames.some((pattern) => pattern.test(arn)) ||
      allowedSecretArns.some((pattern) => fits(arn, pattern))
    )
      continue;
    throw invalid(
      `secrets.${variable}`,
      `Received "${arn}"; names under /rouse-agent/ are allowed, and ${shown(allowedSecretArns)} by this deployment.`,
    );
  }
}

function fits(arn: string, pattern: string): boolean {
  const escaped = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${escaped.join('.*')}$`).test(arn);
}

function shown(patterns: readonly string[]): string {
  return patterns.length ? patterns.join(', ') : 'nothing else';
}

export async function getTemplate(
  deps: Deps,
  tenant: string,
  name: string,
  version: number | undefined,
): Promise<TemplateVersion> {
  const current = await deps.templates.get(tenant, name);
  const found =
    version === undefined || current === undefined ? current : await deps.templates.get(tenant, name, version);
  if (!found) throw notFound('template', version === undefined ? name : `${name}@${version}`);
  return found;
}

export function listTemplates(
  deps: Deps,
  tenant: string,
  limit: number,
  before: string | undefined,
): Promise<Page<TemplateVersion>> {
  return deps.templates.page(tenant, limit, before);
}

/** Deletes a template that no agent uses. */
export async function deleteTemplate(deps: Deps, tenant: string, name: string): Promise<void> {
  const { spec } = await getTemplate(deps, tenant, name, undefined);
  for (const agentId of await deps.templates.users(tenant, name, 25)) {
    const agent = await deps.agents.get(tenant, agentId, { strong: true });
    if (agent && agent.status !== 'terminated') {
      throw new RouseError(
        'template_in_use',
        `The agent "${agentId}" is made from the template "${name}". Terminate its agents first.`,
        {
          extra: { agentId },
        },
      );
    }
    // Left by a creation that was cut off, or by a termination that has not cleaned up yet.
    await deps.templates.removeUser(tenant, name, agentId);
  }
  if ((await deps.templates.users(tenant, name, 1)).length > 0)
    throw conflict(`The template "${name}" has many terminated agents. Try again.`);
  await aroundPoolChange(deps, tenant, name, [spec], () => deps.templates.delete(tenant, name));
}
