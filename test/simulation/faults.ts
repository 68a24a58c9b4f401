import { containerFaults } from './faults/containers.ts';
import { deliveryFaults } from './faults/deliveries.ts';
import type { FaultKind } from './faults/fault.ts';
import { functionFaults } from './faults/functions.ts';
import { serviceFaults } from './faults/services.ts';
import { shimFaults } from './faults/shims.ts';
import { storageFaults } from './faults/storage.ts';
import type { World } from './world.ts';

/** Differing clocks, and the network of clients, are part of the world and of the clients themselves. */
const elsewhere = ['skew', 'network'];
const kinds: readonly FaultKind[] = [
  ...serviceFaults,
  ...functionFaults,
  ...deliveryFaults,
  ...shimFaults,
  ...containerFaults,
  ...storageFaults,
];

export const faultNames: readonly string[] = [...kinds.map(({ name }) => name), ...elsewhere];

/** Lets go wrong what the plan says, each kind by a chance of its own. */
export function installFaults(world: World): void {
  for (const { name, install } of kinds)
    if (world.plan.faults.includes(name)) install(world, world.random.fork(`fault ${name}`));
}
