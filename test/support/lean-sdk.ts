import { convertToAttr, convertToNative } from '@aws-sdk/util-dynamodb';
import { isThrottlingError, isTransientError } from '@smithy/core/retry';

export interface SessionCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
}
type Credentials = () => Promise<SessionCredentials>;

/** In the place of the SDK's `SignatureV4`: the embedded AWS knows a call in the same process by its access key alone. */
class AccessKeySigner {
  private readonly credentials: Credentials;

  constructor(credentials: Credentials) {
    this.credentials = credentials;
  }

  async sign<R extends { headers: Record<string, string>; hostname: string }>(request: R): Promise<R> {
    // A bucket's name comes before the service, a region after it.
    const service = /([a-z0-9]+)(\.[a-z]+-[a-z]+-\d)?\.amazonaws\.com$/.exec(request.hostname)?.[1];
    request.headers.authorization = await authorization(this.credentials, service);
    return request;
  }
}

async function authorization(credentials: Credentials, service: string | undefined): Promise<string> {
  const { accessKeyId } = await credentials();
  return `AWS4-HMAC-SHA256 Credential=${accessKeyId}/20270104/us-east-1/${service}/aws4_request`;
}

/**
 * Options of SDK clients in the same process: without signatures that nobody verifies, lines for a logger that drops
 * them, and asking the environment for endpoints.
 */
export function leanOptions(credentials: Credentials): object {
  const signer = new AccessKeySigner(credentials);
  return {
    credentials,
    signer: async () => signer,
    logger: {},
    ignoreConfiguredEndpointUrls: true,
    defaultUserAgentProvider: async () => [],
  };
}

/** A schema of the SDK: kind, namespace, name, traits, input, output. */
type OperationSchema = readonly [unknown, string, string, unknown, unknown, unknown];

/** Where attributes are in a command of the document client, as the SDK notes it; null where a value is one. */
type Places = null | { readonly [name: string]: Places } | readonly Places[];

interface Command {
  input: object;
  schema: OperationSchema;
  clientCommand?: { schema: OperationSchema };
  inputKeyNodes?: Places;
  outputKeyNodes?: Places;
}

interface SdkRequest {
  headers: Record<string, string>;
}

interface Configuration {
  protocol: {
    getShapeId(): string;
    serializeRequest(operation: object, input: unknown, context: object): Promise<SdkRequest>;
    deserializeResponse(operation: object, context: object, response: unknown): Promise<object>;
  };
  requestHandler: { handle(request: SdkRequest): Promise<{ response: unknown }> };
  retryStrategy(): Promise<{
    acquireInitialRetryToken(scope: string): Promise<object>;
    refreshRetryTokenForRetry(token: object, failure: object): Promise<object>;
  }>;
  translateConfig?: { marshallOptions?: object };
}

interface Client {
  config: Configuration;
  send(command: Command): Promise<unknown>;
}

/**
 * Makes a client of a JSON protocol send its commands in a fifth of the time, by what is essential: the SDK's own
 * conversion, serialization, retries and errors, but none of the layers between them. Other clients stay as they are.
 */
export function lean<C extends object>(given: C, credentials: Credentials): C {
  const client = given as unknown as Client;
  const { config } = client;
  if (!config.protocol.getShapeId().startsWith('aws.protocols#awsJson')) return given;
  const endpoint = { protocol: 'http:', hostname: 'aws.localhost', path: '/' };
  const context = { ...config, endpoint: async () => endpoint };
  client.send = async (command) => {
    const [, namespace, name, traits, input, output] = (command.clientCommand ?? command).schema;
    const operation = { namespace, name, traits, input, output };
    const toAttribute = (value: unknown) => convertToAttr(value as never, config.translateConfig?.marshallOptions);
    const plain = command.clientCommand ? converted(command.input, command.inputKeyNodes, toAttribute) : command.input;
    const request = await config.protocol.serializeRequest(operation, plain, context);
    request.headers.authorization = await authorization(credentials, 'json');
    const answer = await retried(config, async () => {
      const { response } = await config.requestHandler.handle(request);
      return config.protocol.deserializeResponse(operation, context, response);
    });
    return command.clientCommand ? converted(answer, command.outputKeyNodes, convertToNative as never) : answer;
  };
  return given;
}

/** By the client's own strategy, as the SDK's middleware does it. */
async function retried<T>({ retryStrategy }: Configuration, exchange: () => Promise<T>): Promise<T> {
  const strategy = await retryStrategy();
  let token = await strategy.acquireInitialRetryToken('');
  for (;;) {
    try {
      return await exchange();
    } catch (error) {
      token = await strategy
        .refreshRetryTokenForRetry(token, { error, errorType: errorType(error as SdkError) })
        .catch(() => Promise.reject(error));
    }
  }
}

type SdkError = Parameters<typeof isTransientError>[0];

function errorType(error: SdkError): string {
  if (isThrottlingError(error)) return 'THROTTLING';
  return isTransientError(error) ? 'TRANSIENT' : 'CLIENT_ERROR';
}

/** A copy with the values at `places` converted. */
function converted(value: unknown, places: Places | undefined, convert: (value: unknown) => unknown): unknown {
  if (value === undefined || places === undefined) return value;
  if (places === null) return convert(value);
  const names = Object.keys(places);
  if (names.length === 0) return each(value as object, convert);
  if (names[0] === '*')
    return each(value as object, (one) => converted(one, (places as { '*': Places })['*'], convert));
  const copy = { ...(value as Record<string, unknown>) };
  for (const name of names) {
    if (copy[name] !== undefined) copy[name] = converted(copy[name], (places as Record<string, Places>)[name], convert);
  }
  return copy;
}

function each(values: object, convert: (value: unknown) => unknown): unknown {
  if (Array.isArray(values)) return values.map(convert);
  const copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) if (value !== undefined) copy[name] = convert(value);
  return copy;
}
