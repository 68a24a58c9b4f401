import { RouseError } from '../../domain/errors.ts';
import { type Run, stateOf } from '../../domain/run.ts';
import { type Definition, type Step, stepOf } from '../../domain/workflow.ts';
import type { Deps } from '../deps.ts';
import { inParallel } from '../in-parallel.ts';
import type { Import } from '../ports.ts';
import { getTask } from '../tasks.ts';
import { startedIds, startedItems } from './started-ids.ts';

/** Packs that one task gets: each has a URL of its own in what the shim is told. */
const mostPacks = 100;

/**
 * The files that a task of a step gets: those that the steps it needs export. Files of a forEach step lie in a folder
 * for each item, `<step>/<index>/`, since their names may be the same.
 */
export async function importsOf(
  deps: Deps,
  run: Run,
  definition: Definition,
  step: Step,
): Promise<Import[] | undefined> {
  const exporting = step.needs.map((need) => stepOf(definition, need)).filter((need) => need.exports !== undefined);
  const imports: Import[] = [];
  for (const need of exporting) {
    const items = startedItems(stateOf(run, need.id));
    if (items > mostPacks) {
      const detail = `The step "${need.id}" exports files of ${items} items; a step gets those of ${mostPacks} at most.`;
      throw new RouseError('invalid', detail);
    }
    const ids = await startedIds(deps, run, need, mostPacks);
    const keys = await inParallel(ids, 10, async (id) => (await getTask(deps, run.tenant, id)).record.exportsKey);
    const isMapped = need.forEach !== undefined;
    for (const [item, key] of keys.entries())
      if (key) imports.push({ step: need.id, key, ...(isMapped ? { folder: `${need.id}/${item}` } : {}) });
  }
  return imports.length > 0 ? imports : undefined;
}
