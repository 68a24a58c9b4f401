import { expressionError } from './lexer.ts';
import { type ExpressionKind, type Path, pathText } from './syntax.ts';

/** @throws ValidationException when two paths of an expression touch the same place */
export function refuseOverlaps(kind: ExpressionKind, paths: readonly Path[]): void {
  for (let later = 1; later < paths.length; later += 1) {
    for (let earlier = 0; earlier < later; earlier += 1) {
      const trouble = clash(paths[earlier]!, paths[later]!);
      if (trouble)
        throw expressionError(
          kind,
          `Two document paths ${trouble} with each other; must remove or rewrite one of these paths; path one: ${pathText(paths[earlier]!)}, path two: ${pathText(paths[later]!)}`,
        );
    }
  }
}

/** Overlapping: one path contains the other. Conflicting: one sees a list where the other sees a map. */
function clash(one: Path, two: Path): 'overlap' | 'conflict' | undefined {
  const length = Math.min(one.length, two.length);
  for (let at = 0; at < length; at += 1) {
    if (one[at] === two[at]) continue;
    return typeof one[at] === typeof two[at] ? undefined : 'conflict';
  }
  return 'overlap';
}
