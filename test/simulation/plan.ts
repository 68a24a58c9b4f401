/** What a simulation does; the same plan is the same run. */
export interface Plan {
  seed: number;
  agents: number;
  hours: number;
  /** Names of the faults that happen; see `faults/`. */
  faults: readonly string[];
  /** Names of what customers do; all of it if it is not given. */
  actions?: readonly string[];
  /** Agents that do nothing, by their numbers: what a shrunk plan leaves out. */
  without?: readonly number[];
  /** Seconds between two actions of one agent's customer, on average. */
  everySeconds: number;
  /** What the product is made to get wrong, to see whether that is found. */
  sabotage?: string;
}

export const defaultPlan: Plan = { seed: 1, agents: 5, hours: 2, faults: [], everySeconds: 90 };

/** The command that runs a plan again. */
export function commandOf(plan: Plan): string {
  const parts = ['npm run simulate --', `--seed ${plan.seed}`, `--agents ${plan.agents}`, `--hours ${plan.hours}`];
  parts.push(`--faults ${plan.faults.length ? plan.faults.join(',') : 'none'}`);
  if (plan.actions) parts.push(`--actions ${plan.actions.join(',')}`);
  if (plan.without?.length) parts.push(`--without ${plan.without.join(',')}`);
  if (plan.everySeconds !== defaultPlan.everySeconds) parts.push(`--every ${plan.everySeconds}`);
  if (plan.sabotage) parts.push(`--sabotage ${plan.sabotage}`);
  return parts.join(' ');
}
