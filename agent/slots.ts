/**
 * Counts free places for tasks. A call that may bring work reserves the places it offers until its answer is obeyed,
 * so that two calls under way never offer the same place.
 */
export function makeSlots(concurrency: number, occupied: () => number) {
  let offered = 0;
  const free = () => Math.max(0, concurrency - occupied() - offered);
  return {
    free,
    /** Makes a call that offers what is free, or nothing where no work is welcome. */
    async offer<T>(welcome: boolean, call: (slots: number) => Promise<T>): Promise<T> {
      const slots = welcome ? free() : 0;
      offered += slots;
      try {
        return await call(slots);
      } finally {
        offered -= slots;
      }
    },
  };
}
