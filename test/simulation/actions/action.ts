import type { ApiClient } from '../api-client.ts';
import type { Work } from '../programs.ts';
import type { Random } from '../random.ts';
import type { World } from '../world.ts';

/** A task that was accepted: its customer has seen its id. */
export interface AcceptedTask {
  id: string;
  agentId: string;
  work: Work;
}

/** One customer with one agent at a time, and chance of its own. */
export interface Customer {
  number: number;
  api: ApiClient;
  random: Random;
  /** Undefined until its creation was answered, and after it was terminated. */
  agentId: string | undefined;
  tasks: AcceptedTask[];
  /** Names of schedules that it has put, and ids of runs that it has started. */
  schedules: string[];
  runs: string[];
}

export type Owner = Customer & { agentId: string };

export interface Scene {
  world: World;
  customers: Customer[];
  templates: string[];
  workflows: string[];
  /** By their ids. */
  accepted: Map<string, AcceptedTask>;
  /** Agents that were created, also those that were terminated since. */
  agentIds: Set<string>;
  nextNumber(): number;
}

export interface Action {
  name: string;
  weight: number;
  run(scene: Scene, customer: Owner): Promise<unknown>;
}
