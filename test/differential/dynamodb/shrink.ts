/** Delta debugging: the shortest sequence, of the smallest operations, that still shows a difference. */
import type { Operation } from './operations.ts';

/** @param fails whether the last operation of a sequence is still answered differently */
export async function shortest(
  sequence: readonly Operation[],
  fails: (sequence: readonly Operation[]) => Promise<boolean>,
): Promise<Operation[]> {
  const last = sequence.at(-1)!;
  const needed = await fewest(sequence.slice(0, -1), (rest) => fails([...rest, last]));
  return smallest([...needed, last], fails);
}

/** Leaves out ever smaller parts of a list, as long as it still fails. */
async function fewest<T>(list: readonly T[], fails: (list: readonly T[]) => Promise<boolean>): Promise<T[]> {
  let rest = [...list];
  for (let size = rest.length; size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < rest.length; ) {
      const without = [...rest.slice(0, at), ...rest.slice(at + size)];
      if (await fails(without)) rest = without;
      else at += size;
    }
  }
  return rest;
}

/** Leaves out members and elements of the operations' inputs, the outermost first. */
async function smallest(
  sequence: readonly Operation[],
  fails: (sequence: readonly Operation[]) => Promise<boolean>,
): Promise<Operation[]> {
  let best = structuredClone(sequence) as Operation[];
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for (const path of pathsOf(best.map((operation) => operation.input))) {
      const candidate = structuredClone(best);
      if (
        !removeAt(
          candidate.map((operation) => operation.input),
          path,
        )
      )
        continue;
      if (!(await fails(candidate).catch(() => false))) continue;
      best = candidate;
      isSmaller = true;
    }
  }
  return best;
}

type Path = (string | number)[];

/** Paths of all that can be left out, later elements of a list before earlier ones. */
function pathsOf(value: unknown, path: Path = []): Path[] {
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return [];
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? value.map((element, index): [number, unknown] => [index, element]).reverse()
    : Object.entries(value);
  const own = path.length === 0 ? [] : entries.map(([part]) => [...path, part]);
  return [...own, ...entries.flatMap(([part, inner]) => pathsOf(inner, [...path, part]))];
}

function removeAt(root: unknown, path: Path): boolean {
  let holder = root as Record<string | number, unknown>;
  for (const part of path.slice(0, -1)) {
    holder = holder?.[part] as Record<string | number, unknown>;
    if (typeof holder !== 'object' || holder === null) return false;
  }
  const last = path.at(-1)!;
  if (!Object.hasOwn(holder, last)) return false;
  if (Array.isArray(holder)) holder.splice(Number(last), 1);
  else delete holder[last];
  return true;
}
