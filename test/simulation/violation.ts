/** Something that must never be: an invariant of the design is broken. */
export class Violation extends Error {
  /** Ids of what it is about. */
  readonly ids: readonly string[];

  constructor(message: string, ids: readonly string[] = []) {
    super(message);
    this.ids = ids;
  }
}
