/** Runs one sequence on both sides, side by side. */
import { isDeepStrictEqual } from 'node:util';
import { type Answer, answerOf } from './answers.ts';
import type { Backend } from './backends.ts';
import { knownDifference } from './known-differences.ts';
import type { Operation } from './operations.ts';
import { shortest } from './shrink.ts';
import { headOf } from './wordings.ts';

export interface Difference {
  /** The last operation is the one whose answers differ. */
  sequence: Operation[];
  embedded: Answer;
  authority: Answer;
}

export class Comparison {
  /** How often each known difference was met. */
  readonly known = new Map<string, number>();
  private readonly embedded: Backend;
  private readonly authority: Backend;

  constructor(embedded: Backend, authority: Backend) {
    this.embedded = embedded;
    this.authority = authority;
  }

  /** The first difference that a sequence shows, or undefined. */
  async difference(sequence: readonly Operation[]): Promise<Difference | undefined> {
    const [left, right] = await Promise.all([this.embedded.fresh(), this.authority.fresh()]);
    for (const [at, operation] of sequence.entries()) {
      const [embedded, authority] = await Promise.all([answerOf(left, operation), answerOf(right, operation)]);
      if (isDeepStrictEqual(embedded, authority)) continue;
      const why = knownDifference(operation, embedded, authority);
      if (why === undefined) return { sequence: sequence.slice(0, at + 1), embedded, authority };
      this.known.set(why, (this.known.get(why) ?? 0) + 1);
    }
    return undefined;
  }

  /** The shortest sequence that shows the same: the same operation, with the same kinds of answers. */
  async shortened(found: Difference): Promise<Difference> {
    const kind = kindOf(found);
    const sequence = await shortest(found.sequence, async (candidate) => {
      const difference = await this.difference(candidate);
      return difference?.sequence.length === candidate.length && kindOf(difference) === kind;
    });
    return (await this.difference(sequence)) ?? found;
  }
}

/** What must stay the same while a sequence is shortened: which operation, and whether and by which errors it was refused. */
function kindOf({ sequence, embedded, authority }: Difference): string {
  const kind = (answer: Answer) =>
    'error' in answer ? `${answer.error.name} ${headOf(answer.error.message)}` : 'output';
  return [sequence.at(-1)!.name, kind(embedded), kind(authority)].join(' / ');
}
