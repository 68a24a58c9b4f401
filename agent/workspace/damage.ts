/** What is in S3 is not what was committed. Trying again won't help; an earlier generation may. */
export class WorkspaceDamagedError extends Error {
  override name = 'WorkspaceDamagedError';
}
