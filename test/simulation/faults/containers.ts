import { StartFailure } from '../../../local/services/ecs/container-runner.ts';
import type { Random } from '../random.ts';
import type { World } from '../world.ts';
import { Episodes, type FaultKind } from './fault.ts';

/** Why a task does not start, as ECS says it (aws-facts 1.6). */
const startFailures = [
  'CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: httpReadSeeker: failed open: dial tcp: i/o timeout',
  'ResourceInitializationError: failed to configure ENI: failed to setup regular eni',
  'Timeout waiting for network interface provisioning to complete.',
  'CannotStartContainerError: failed to create containerd task',
];

/** Tasks fail before any container runs. */
function startFailure(world: World, random: Random): void {
  const { fleet } = world.stack;
  const onStart = fleet.onStart;
  fleet.onStart = (shim) => {
    if (!world.calm && random.chance(0.04)) {
      const reason = random.pick(startFailures);
      world.tell(`fault: ${shim.runtimeId} does not start: ${reason}`);
      shim.die(1);
      if (random.chance(0.5)) forgetContainers(world, shim.taskArn);
      throw new StartFailure(reason);
    }
    return onStart(shim);
  };
}

/** Of a task that never came as far as its containers ECS tells none at all (aws-facts 1.6). */
function forgetContainers(world: World, taskArn: string): void {
  const task = world.stack.aws.ecs.allTasks().find((one) => one.taskArn === taskArn);
  if (task) task.containers = [];
}

/** A container starts, and its shim never says a word. */
function stillborn(world: World, random: Random): void {
  const { fleet } = world.stack;
  const onStart = fleet.onStart;
  fleet.onStart = (shim) => {
    if (world.calm || !random.chance(0.02)) return onStart(shim);
    world.tell(`fault: ${shim.runtimeId} starts and says nothing`);
    return false;
  };
}

/** RunTask succeeds and starts nothing, above all in times without capacity. */
function noCapacity(world: World, random: Random): void {
  const episodes = new Episodes(world, random, 2400, 120, () => world.tell('fault: there is no capacity for a while'));
  world.stack.aws.ecs.launchFailure = () => {
    if (world.calm || !random.chance(episodes.isOn ? 0.8 : 0.02)) return undefined;
    const reason = random.pick(['Capacity is unavailable at this time. Please try again later.', 'RESOURCE:ENI']);
    return { reason };
  };
}

/** Spot takes back most of what it gave, at once. */
function spotStorm(world: World, random: Random): void {
  new Episodes(world, random, 1500, 1, () => {
    for (const task of world.stack.aws.ecs.allTasks()) {
      if (task.capacityProviderName !== 'FARGATE_SPOT' || task.lastStatus === 'STOPPED' || random.chance(0.2)) continue;
      world.tell(`fault: Spot takes back ${task.startedBy?.split('/').at(-1)}`);
      world.stack.aws.ecs.interrupt(task.taskArn);
    }
  });
}

export const containerFaults: readonly FaultKind[] = [
  { name: 'start-failure', install: startFailure },
  { name: 'stillborn', install: stillborn },
  { name: 'no-capacity', install: noCapacity },
  { name: 'spot-storm', install: spotStorm },
];
