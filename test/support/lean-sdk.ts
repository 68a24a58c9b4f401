import * as documents from '@aws-sdk/lib-dynamodb';

export interface SessionCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  expiration?: Date;
}
type Credentials = () => Promise<SessionCredentials>;

/** In the place of the SDK's `SignatureV4`: the embedded AWS knows a call in the same process by its access key alone. */
class AccessKeySigner {
  private readonly credentials: Credentials;

  constructor(credentials: Credentials) {
    this.credentials = credentials;
  }

  async sign<R extends { headers: Record<string, string>; hostname: string }>(request: R): Promise<R> {
    const { accessKeyId } = await this.credentials();
    // A bucket's name comes before the service, a region after it.
    const service = /([a-z0-9]+)(\.[a-z]+-[a-z]+-\d)?\.amazonaws\.com$/.exec(request.hostname)?.[1];
    const scope = `20270104/us-east-1/${service}/aws4_request`;
    request.headers.authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}`;
    return request;
  }
}

/**
 * Options of SDK clients in the same process that leave out most of a call's work: signatures that nobody verifies,
 * lines for a logger that drops them, asking the environment for endpoints, and composing the middleware at every call.
 */
export function leanSdk(credentials: Credentials): object {
  const signer = new AccessKeySigner(credentials);
  return {
    credentials,
    signer: async () => signer,
    keepsHandlers: true,
    logger: {},
    ignoreConfiguredEndpointUrls: true,
    defaultUserAgentProvider: async () => [],
  };
}

type Handler = (command: object) => Promise<unknown>;
type Configuration = { keepsHandlers?: boolean };
interface DocumentCommand {
  clientCommand: object & { resolveMiddleware(...given: unknown[]): Handler };
  middlewareStack: unknown;
  addMarshallingMiddleware(configuration: Configuration): void;
  resolveMiddleware(stack: unknown, configuration: Configuration, ...rest: unknown[]): Handler;
}

/** Handlers of commands by their class, for each client by its middleware: to presign there is another one each time. */
const kept = new WeakMap<object, Map<unknown, Handler>>();

/** As the SDK's own `cacheMiddleware`, which does not know the document client. */
function keep(stack: object, command: object, make: () => Handler): Handler {
  const handlers = kept.get(stack) ?? new Map<unknown, Handler>();
  kept.set(stack, handlers);
  const handler = handlers.get(command.constructor) ?? make();
  handlers.set(command.constructor, handler);
  return handler;
}

const documentCommand = Object.getPrototypeOf(documents.GetCommand) as new () => DocumentCommand;
const command = Object.getPrototypeOf(documentCommand.prototype) as {
  resolveMiddlewareWithContext(stack: object, configuration: Configuration, ...rest: unknown[]): Handler;
};

const { resolveMiddlewareWithContext } = command;
command.resolveMiddlewareWithContext = function (stack, configuration, ...rest) {
  // The middleware copies a client's configuration three times for each call. V8 copies a copy ten times faster.
  const make = () => resolveMiddlewareWithContext.call(this, stack, { ...configuration }, ...rest);
  return configuration.keepsHandlers ? keep(stack, this, make) : make();
};

for (const found of Object.values(documents)) {
  if (typeof found !== 'function' || !(found.prototype instanceof documentCommand)) continue;
  const { resolveMiddleware } = found.prototype as DocumentCommand;
  found.prototype.resolveMiddleware = function (
    this: DocumentCommand,
    stack: { concat(other: unknown): unknown },
    configuration: Configuration,
    ...rest: unknown[]
  ) {
    if (!configuration.keepsHandlers) return resolveMiddleware.call(this, stack, configuration, ...rest);
    // The SDK's own handler performs the command that it was made for, whatever it is given.
    const handler = keep(stack, this, () => {
      this.addMarshallingMiddleware(configuration);
      return this.clientCommand.resolveMiddleware(
        stack.concat(this.middlewareStack),
        { ...configuration, keepsHandlers: false },
        ...rest,
      );
    });
    return (given: object) => handler((given as DocumentCommand).clientCommand);
  };
}
