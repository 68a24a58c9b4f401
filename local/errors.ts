/** An error as AWS sends it: `code` is the exception's name, `status` the HTTP status. */
export class AwsError extends Error {
  readonly code: string;
  readonly status: number;
  /** Further members of the error's shape, such as `CancellationReasons` or `resourceIds`. */
  readonly members: Record<string, unknown>;

  constructor(code: string, message: string, status = 400, members: Record<string, unknown> = {}) {
    super(message);
    this.name = code;
    this.code = code;
    this.status = status;
    this.members = members;
  }
}

/** What the embedded AWS does not know is refused by name, never quietly accepted. */
export function notEmulated(service: string, what: string): AwsError {
  return new AwsError(
    'NotEmulated',
    `The embedded AWS does not know ${what} of ${service}. It knows only what Rouse uses.`,
    501,
  );
}

/** Refuses parameters that the implementation of an operation does not read. */
export function refuseUnknownParameters(
  service: string,
  operation: string,
  input: Record<string, unknown>,
  known: readonly string[],
): void {
  for (const name of Object.keys(input)) {
    if (input[name] !== undefined && !known.includes(name))
      throw notEmulated(service, `parameter ${name} of ${operation}`);
  }
}
