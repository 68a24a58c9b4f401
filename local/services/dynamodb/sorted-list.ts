const maxChunk = 512;

/**
 * A sorted list that stays fast when it is large: chunks of at most 512 elements, found by binary search.
 * `compare` must order any two different elements.
 */
export class SortedList<T> {
  private readonly compare: (left: T, right: T) => number;
  private readonly chunks: T[][] = [];
  private count = 0;

  constructor(compare: (left: T, right: T) => number) {
    this.compare = compare;
  }

  get size(): number {
    return this.count;
  }

  first(): T | undefined {
    return this.chunks[0]?.[0];
  }

  insert(element: T): void {
    this.count += 1;
    const place = this.chunkBefore((other) => this.compare(other, element) <= 0);
    const chunk = this.chunks[place];
    if (!chunk) {
      this.chunks.push([element]);
      return;
    }
    chunk.splice(
      position(chunk, (other) => this.compare(other, element) < 0),
      0,
      element,
    );
    if (chunk.length > maxChunk) this.chunks.splice(place + 1, 0, chunk.splice(maxChunk / 2));
  }

  /** Removes the element that compares equal. Returns whether there was one. */
  remove(element: T): boolean {
    const place = this.chunkBefore((other) => this.compare(other, element) <= 0);
    const chunk = this.chunks[place];
    if (!chunk) return false;
    const index = position(chunk, (other) => this.compare(other, element) < 0);
    const found = chunk[index];
    if (found === undefined || this.compare(found, element) !== 0) return false;
    chunk.splice(index, 1);
    if (chunk.length === 0) this.chunks.splice(place, 1);
    this.count -= 1;
    return true;
  }

  /** Elements upwards from the first that `isBefore` doesn't hold for. It must hold for a prefix of the list. */
  *ascending(isBefore: (element: T) => boolean): Generator<T> {
    let place = this.chunkBefore(isBefore);
    let chunk = this.chunks[place];
    let index = chunk ? position(chunk, isBefore) : 0;
    for (; chunk; index = 0, place += 1, chunk = this.chunks[place]) {
      for (; index < chunk.length; index += 1) yield chunk[index]!;
    }
  }

  /** Elements downwards from the last that `isBefore` holds for. It must hold for a prefix of the list. */
  *descending(isBefore: (element: T) => boolean): Generator<T> {
    let place = this.chunkBefore(isBefore);
    let chunk = this.chunks[place];
    let index = chunk ? position(chunk, isBefore) - 1 : -1;
    while (chunk) {
      for (; index >= 0; index -= 1) yield chunk[index]!;
      place -= 1;
      chunk = this.chunks[place];
      index = (chunk?.length ?? 0) - 1;
    }
  }

  /** The last chunk that begins before the sought place; the first one when none does. */
  private chunkBefore(isBefore: (element: T) => boolean): number {
    let low = 0;
    let high = this.chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(this.chunks[middle]![0]!)) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

function position<T>(chunk: T[], isBefore: (element: T) => boolean): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(chunk[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}
