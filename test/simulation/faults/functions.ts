import type { Random } from '../random.ts';
import type { World } from '../world.ts';
import type { FaultKind } from './fault.ts';

/** The process of a function dies before or after any of its AWS calls, and forgets all that it knew. */
function crash(world: World, random: Random): void {
  world.stack.crash = ({ function: name, request }) => {
    if (world.calm || !random.chance(0.004)) return undefined;
    const fate = random.pick(['before', 'after'] as const);
    world.tell(`fault: ${name} dies ${fate} ${request.headers['x-amz-target']?.split('.')[1] ?? request.method}`);
    return fate;
  };
}

/** A function starts late: its process has to be made first. */
function coldStart(world: World, random: Random): void {
  world.stack.aws.faults.add(({ service, operation }) => {
    if (world.calm || service !== 'lambda' || operation !== 'Invoke' || !random.chance(0.03)) return undefined;
    return { kind: 'delay', delayMs: Math.ceil(random.exponential(1500)) };
  });
}

export const functionFaults: readonly FaultKind[] = [
  { name: 'crash', install: crash },
  { name: 'cold-start', install: coldStart },
];
