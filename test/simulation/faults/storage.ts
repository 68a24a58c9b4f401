import type { Random } from '../random.ts';
import type { World } from '../world.ts';
import { type FaultKind, repeatedly } from './fault.ts';

/** The newest generation of an agent's files is damaged behind everybody's back. One that has no other is spared. */
function rot(world: World, random: Random): void {
  repeatedly(world, random, 900, () => {
    world.background(async () => {
      const newest = await newestManifests(world);
      const agents = [...newest.keys()].filter((agentId) => !world.rotten.has(agentId));
      if (agents.length === 0 || world.calm) return;
      const agentId = random.pick(agents);
      // Once for each: what is left must be good.
      world.rotten.add(agentId);
      const key = newest.get(agentId)!;
      const body = random.chance(0.5) ? 'rotten' : undefined;
      world.tell(`fault: ${key} of ${agentId} is ${body ?? 'gone'}`);
      await world.stack.damage(key, body);
    });
  });
}

/** By agent: the manifest of its newest generation, where there is an older one. */
async function newestManifests({ stack }: World): Promise<Map<string, string>> {
  const generations = new Map<string, { number: number; key: string }[]>();
  for (const key of await stack.objects('agents/')) {
    const [, agentId, number] = /^agents\/[^/]+\/([^/]+)\/.*generations\/(\d+)\+*\/manifest\.json$/.exec(key) ?? [];
    if (agentId === undefined) continue;
    const known = generations.get(agentId) ?? [];
    generations.set(agentId, [...known, { number: Number(number), key }]);
  }
  const newest = new Map<string, string>();
  for (const [agentId, all] of generations)
    if (all.length > 1) newest.set(agentId, all.sort((one, two) => two.number - one.number)[0]!.key);
  return newest;
}

export const storageFaults: readonly FaultKind[] = [{ name: 'rot', install: rot }];
