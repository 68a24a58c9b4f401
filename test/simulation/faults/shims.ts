import type { SimulatedShim } from '../../support/simulated-shim.ts';
import type { Random } from '../random.ts';
import type { World } from '../world.ts';
import { Episodes, type FaultKind, repeatedly } from './fault.ts';

const someone = (world: World, random: Random): SimulatedShim | undefined => {
  const { living } = world.stack.fleet;
  return living.length > 0 ? random.pick(living) : undefined;
};

/** A container dies without a word: its process crashed, or ran out of memory. */
function kill(world: World, random: Random): void {
  repeatedly(world, random, 900, () => {
    const shim = someone(world, random);
    if (!shim) return;
    world.tell(`fault: the container of ${shim.runtimeId} dies`);
    shim.die(random.pick([1, 137, 139]));
  });
}

/** A shim never says or hears anything again, while its programs run on. */
function mute(world: World, random: Random): void {
  repeatedly(world, random, 2400, () => {
    const shim = someone(world, random);
    if (!shim) return;
    world.tell(`fault: ${shim.runtimeId} falls silent`);
    shim.mute = true;
  });
}

function deaf(world: World, random: Random): void {
  repeatedly(world, random, 1200, () => {
    const shim = someone(world, random);
    if (!shim) return;
    world.tell(`fault: ${shim.runtimeId} hears no bell any more`);
    shim.deaf = true;
  });
}

/** Requests of shims take long, get lost, or their answers do; some shims are cut off for minutes, a few for ever. */
function shimNetwork(world: World, random: Random): void {
  const { fleet } = world.stack;
  const cutOff = new Map<string, Episodes>();
  const lost = new Set<string>();
  repeatedly(world, random.fork('interface'), 2400, () => {
    const shim = someone(world, random);
    if (!shim) return;
    world.tell(`fault: ${shim.runtimeId} has lost its network interface`);
    lost.add(shim.runtimeId);
  });
  fleet.pause = (tries) => world.sleep(Math.min(30_000, random.between(0.5, 1) * 500 * 2 ** Math.min(tries, 8)));
  fleet.network = async (shim, route) => {
    // What is lost stays so: nobody repairs the network of a container.
    if (lost.has(shim.runtimeId)) return 'request_lost';
    if (world.calm) return undefined;
    let episodes = cutOff.get(shim.runtimeId);
    if (!episodes) {
      const onStart = () => world.tell(`fault: ${shim.runtimeId} is cut off for a while`);
      episodes = new Episodes(world, random.fork(shim.runtimeId), 1800, 120, onStart);
      cutOff.set(shim.runtimeId, episodes);
    }
    const delayMs = random.exponential(random.chance(0.02) ? 5000 : 15);
    await world.sleep(Math.ceil(delayMs));
    if (world.calm) return undefined;
    if (episodes.isOn || random.chance(0.01)) return 'request_lost';
    if (!random.chance(0.02)) return undefined;
    world.tell(`fault: ${shim.runtimeId} gets no answer to ${route}`);
    return 'answer_lost';
  };
}

export const shimFaults: readonly FaultKind[] = [
  { name: 'kill', install: kill },
  { name: 'mute', install: mute },
  { name: 'deaf', install: deaf },
  { name: 'shim-network', install: shimNetwork },
];
