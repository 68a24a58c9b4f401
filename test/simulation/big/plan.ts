/** What a run of a fleet does; the same plan is the same run. */
export interface BigPlan {
  seed: number;
  agents: number;
  /** Of all agents together; a multiple of their number. */
  tasks: number;
  /** How long the day is. */
  hours: number;
}

export const fullPlan: BigPlan = { seed: 1, agents: 10_000, tasks: 100_000, hours: 24 };

/** A fleet whose agents do the same: what a task takes there is what it should take in a big one. */
export const smallFleet = 20;

/** Seconds without work after which an agent pauses. */
export const idleTimeoutSeconds = 60;

/** The same seed, the same tasks for each agent. */
export function smallPlanOf(plan: BigPlan): BigPlan {
  return { ...plan, agents: smallFleet, tasks: (plan.tasks / plan.agents) * smallFleet };
}
