/**
 * Counts free places for tasks. A call that may bring work reserves the places it offers until its answer is there, so
 * that two calls under way never offer the same place.
 */
export function makeSlots(concurrency: number, running: () => number) {
  let offered = 0;
  return {
    free: () => Math.max(0, concurrency - running() - offered),
    /** Offers what is free, plus `extra` that the call itself frees, and takes the offer back with its answer. */
    async offer<T>(extra: number, open: boolean, call: (slots: number) => Promise<T>): Promise<T> {
      const slots = open ? Math.max(0, concurrency - running() - offered + extra) : 0;
      offered += slots;
      try {
        return await call(slots);
      } finally {
        offered -= slots;
      }
    },
  };
}

export type Slots = ReturnType<typeof makeSlots>;
