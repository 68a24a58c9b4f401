import type { Config } from '../config.ts';
import type { RandomBytes } from '../domain/id.ts';
import type {
  Agents,
  ApiKeys,
  DueHeads,
  EventLog,
  Fleets,
  Identities,
  Logger,
  Objects,
  Parameters,
  Pools,
  Queues,
  Rooms,
  Runner,
  Runtimes,
  TaskDefinitions,
  TaskLogs,
  Tasks,
  Templates,
  Waiters,
} from './ports.ts';
import type { Runs, Workflows } from './runs/ports.ts';
import type { Alarms, Schedules } from './schedules/ports.ts';
import type { Generations, Packs } from './workspace-ports.ts';

/** All that the use cases work with. Time and chance come from here too, so that a test can hold both. */
export interface Deps {
  config: Config;
  agents: Agents;
  due: DueHeads;
  tasks: Tasks;
  templates: Templates;
  schedules: Schedules;
  alarms: Alarms;
  pools: Pools;
  workflows: Workflows;
  runs: Runs;
  rooms: Rooms;
  runtimes: Runtimes;
  generations: Generations;
  packs: Packs;
  events: EventLog;
  fleet: Fleets;
  taskLogs: TaskLogs;
  apiKeys: ApiKeys;
  waiters: Waiters;
  queues: Queues;
  objects: Objects;
  runner: Runner;
  taskDefinitions: TaskDefinitions;
  parameters: Parameters;
  identities: Identities;
  log: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
  sleep(ms: number): Promise<void>;
  random: RandomBytes;
}
