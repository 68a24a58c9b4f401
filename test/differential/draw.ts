/** Random choices that a seed determines. */
import { randomFrom } from '../support/builders.ts';

export class Draw {
  private readonly random: () => number;

  constructor(seed: number) {
    this.random = randomFrom(seed);
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** Calls one of the choices; each is as likely as its weight. */
  weighted<T>(choices: readonly (readonly [weight: number, choice: () => T])[]): T {
    let place = this.random() * choices.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, choice] of choices) {
      place -= weight;
      if (place < 0) return choice();
    }
    return choices.at(-1)![1]();
  }

  /** Between `min` and `max` results of `make`. */
  many<T>(min: number, max: number, make: (index: number) => T): T[] {
    return Array.from({ length: min + this.below(max - min + 1) }, (_, index) => make(index));
  }

  /** Some of the choices, in a random order. */
  some<T>(count: number, choices: readonly T[]): T[] {
    const rest = [...choices];
    const picked: T[] = [];
    while (picked.length < count && rest.length > 0) picked.push(...rest.splice(this.below(rest.length), 1));
    return picked;
  }
}
