import type { Agent } from '../domain/agent.ts';
import type { Deps } from './deps.ts';

/** One call removes this many old generations; a limit that was lowered is reached save by save. */
const batch = 10;

/**
 * Removes generations that the head does not name any more: their manifests, and the packs that no kept one is made
 * of. The head decides, so nobody points to one while it is removed, and a head that is a little old is safe: a newer
 * generation is made of new packs and of those of kept ones. The row goes last, so that a crash leaves something to
 * find.
 *
 * @returns whether there are more
 */
export async function pruneGenerations(deps: Deps, agent: Agent): Promise<boolean> {
  const { generations = [], lastGeneration = 0 } = agent;
  const rows = await deps.generations.all(agent.tenant, agent.id);
  const kept = rows.filter(({ number }) => generations.includes(number));
  if (kept.length < generations.length) return false;
  const packs = new Set(kept.flatMap((generation) => generation.packs));
  // A higher number is being saved right now.
  const doomed = rows.filter(({ number }) => number <= lastGeneration && !generations.includes(number));
  for (const generation of doomed.slice(0, batch)) {
    const own = generation.packs.filter((key) => !packs.has(key));
    await deps.objects.delete([generation.manifestKey, ...own]);
    await deps.generations.delete(agent.tenant, agent.id, generation.number);
  }
  return doomed.length > batch;
}
