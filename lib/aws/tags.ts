import type { OwnedRuntime } from '../app/ports.ts';

/**
 * Tags of what is made at run time. As cost allocation tags they divide the bill by deployment, tenant, template and
 * agent. Whatever CloudFormation makes has `rouse:stack` from its stack.
 */
export const tagKeys = {
  stack: 'rouse:stack',
  tenant: 'rouse:tenant',
  template: 'rouse:template',
  agent: 'rouse:agent',
} as const;

/**
 * Whose a runtime was when it was launched. ECS and SQS never hear who took a standby over: asking them for that at
 * each takeover would make it slower and dearer, and what a standby costs is mostly its waiting.
 */
export function ownerTags({ agentId, pool }: Omit<OwnedRuntime, 'id' | 'tenant'>): Record<string, string> {
  if (pool !== undefined) return { [tagKeys.template]: pool };
  return agentId === undefined ? {} : { [tagKeys.agent]: agentId };
}

export function ecsTags(tags: Record<string, string>): { key: string; value: string }[] {
  return Object.entries(tags).map(([key, value]) => ({ key, value }));
}
