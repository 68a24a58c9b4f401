import type { Contract } from '../route.ts';
import * as agents from './agents.ts';
import * as feeds from './feeds.ts';
import * as messages from './messages.ts';
import * as ownSchedules from './own-schedules.ts';
import * as runs from './runs.ts';
import * as runtime from './runtime.ts';
import * as schedules from './schedules.ts';
import * as service from './service.ts';
import * as tasks from './tasks.ts';
import * as templates from './templates.ts';
import * as workflows from './workflows.ts';

/** Every contract of the API, in the order in which it is described. */
export const contracts: readonly Contract[] = [
  ...Object.values(service),
  ...Object.values(templates),
  ...Object.values(agents),
  ...Object.values(tasks),
  ...Object.values(messages),
  ...Object.values(schedules),
  ...Object.values(workflows),
  ...Object.values(runs),
  ...Object.values(feeds),
  ...Object.values(runtime),
  ...Object.values(ownSchedules),
];

/** What each function serves. The front door sends these paths there; `api` has all the rest. */
export const waitContracts = contracts.filter((contract) => contract.waits);
export const runtimeContracts = contracts.filter((contract) => contract.tag === 'Runtime');
export const apiContracts = contracts.filter((contract) => !contract.waits && contract.tag !== 'Runtime');
