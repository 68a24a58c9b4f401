import type { Agent } from '../domain/agent.ts';
import type { Deps } from './deps.ts';
import { settingsOf } from './settings.ts';

/** One save removes this many old generations; a limit that was lowered is reached save by save. */
const batch = 10;

/**
 * Removes the generations beyond those that the template keeps: their manifests, and the packs that no kept one is made
 * of. The row goes last, so that a crash leaves something to find.
 */
export async function pruneGenerations(deps: Deps, agent: Agent): Promise<void> {
  const { keepGenerations } = (await settingsOf(deps, agent)).workspace;
  if ((agent.workspace?.generation ?? 0) <= keepGenerations) return;
  const { items } = await deps.generations.page(agent.tenant, agent.id, keepGenerations + batch, undefined);
  const kept = new Set(items.slice(0, keepGenerations).flatMap((generation) => generation.packs));
  for (const { number, manifestKey, packs } of items.slice(keepGenerations).toReversed()) {
    await deps.objects.delete([manifestKey, ...packs.filter((key) => !kept.has(key))]);
    await deps.generations.delete(agent.tenant, agent.id, number);
  }
}
