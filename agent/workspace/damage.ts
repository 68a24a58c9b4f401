/** What is in S3 is not what was committed. Trying again won't help; an earlier generation may. */
export class WorkspaceDamagedError extends Error {
  override name = 'WorkspaceDamagedError';
  /** It is not there at all, or so S3 says. */
  readonly missing: boolean;

  constructor(message: string, options: ErrorOptions & { missing?: boolean } = {}) {
    super(message, options);
    this.missing = options.missing ?? false;
  }
}
