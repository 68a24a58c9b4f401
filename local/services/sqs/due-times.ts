interface Due {
  timeMs: number;
  key: string;
}

/** Keys by the time at which they are due, earliest first (a binary heap). */
export class DueTimes {
  private readonly heap: Due[] = [];

  get earliest(): Readonly<Due> | undefined {
    return this.heap[0];
  }

  add(timeMs: number, key: string): void {
    const { heap } = this;
    let index = heap.push({ timeMs, key }) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (heap[parent]!.timeMs <= timeMs) break;
      this.swap(index, parent);
      index = parent;
    }
  }

  /** Removes and returns the earliest one that is due by `nowMs`. */
  take(nowMs: number): Due | undefined {
    const { heap } = this;
    const first = heap[0];
    if (!first || first.timeMs > nowMs) return undefined;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      this.sink();
    }
    return first;
  }

  clear(): void {
    this.heap.length = 0;
  }

  private sink(): void {
    const { heap } = this;
    for (let index = 0; ; ) {
      const left = 2 * index + 1;
      const right = left + 1;
      let least = index;
      if (left < heap.length && heap[left]!.timeMs < heap[least]!.timeMs) least = left;
      if (right < heap.length && heap[right]!.timeMs < heap[least]!.timeMs) least = right;
      if (least === index) return;
      this.swap(index, least);
      index = least;
    }
  }

  private swap(a: number, b: number): void {
    const other = this.heap[a]!;
    this.heap[a] = this.heap[b]!;
    this.heap[b] = other;
  }
}
