import type { Delivery } from '../../../local/faults.ts';
import type { Random } from '../random.ts';
import type { World } from '../world.ts';
import { Episodes, type FaultKind } from './fault.ts';

type Decide = (delivery: Delivery) => { copies?: number; delayMs?: number } | undefined;

function onDeliveries(world: World, decide: Decide): void {
  world.stack.aws.faults.addDelivery((delivery) => {
    const found = world.calm ? undefined : decide(delivery);
    if (found) {
      const name = delivery.target.split(/[:/]/).at(-1);
      const how = found.copies === 0 ? 'lost' : found.copies === 2 ? 'twice' : `${found.delayMs} ms late`;
      world.tell(`fault: a ${delivery.source} delivery to ${name} comes ${how}`);
    }
    return found;
  });
}

function duplicate(world: World, random: Random): void {
  onDeliveries(world, () => (random.chance(0.03) ? { copies: 2 } : undefined));
}

/** Messages, events and ticks of the scheduler get lost. A stream loses nothing: a batch that fails is tried again. */
function lose(world: World, random: Random): void {
  onDeliveries(world, ({ source }) => (source !== 'stream' && random.chance(0.03) ? { copies: 0 } : undefined));
}

/** Late, and so out of order. */
function late(world: World, random: Random): void {
  onDeliveries(world, ({ source }) => {
    if (!random.chance(0.04)) return undefined;
    return { delayMs: Math.ceil(random.exponential(source === 'stream' ? 4000 : 30_000)) };
  });
}

/** The stream stands still for a while, as when its function is throttled. */
function stalledStream(world: World, random: Random): void {
  const episodes = new Episodes(world, random, 2400, 60);
  onDeliveries(world, ({ source }) =>
    source === 'stream' && episodes.isOn ? { delayMs: Math.ceil(random.between(5_000, 90_000)) } : undefined,
  );
}

/** For a while no event of ECS comes through at all. */
function noEcsEvents(world: World, random: Random): void {
  const episodes = new Episodes(world, random, 2400, 900, () => world.tell('fault: ECS sends no events for a while'));
  onDeliveries(world, ({ source }) => (source === 'events' && episodes.isOn ? { copies: 0 } : undefined));
}

export const deliveryFaults: readonly FaultKind[] = [
  { name: 'no-ecs-events', install: noEcsEvents },
  { name: 'stalled-stream', install: stalledStream },
  { name: 'lose', install: lose },
  { name: 'duplicate', install: duplicate },
  { name: 'late', install: late },
];
