type Credentials = () => Promise<{ accessKeyId: string }>;

/** In the place of the SDK's `SignatureV4`: the embedded AWS knows a call in the same process by its access key alone. */
class AccessKeySigner {
  private readonly credentials: Credentials;
  private readonly service: string;

  constructor({ credentials, service }: { credentials: Credentials; service: string }) {
    this.credentials = credentials;
    this.service = service;
  }

  async sign<R extends { headers: Record<string, string> }>(
    request: R,
    options: { signingService?: string } = {},
  ): Promise<R> {
    const { accessKeyId } = await this.credentials();
    const scope = `20270104/us-east-1/${options.signingService ?? this.service}/aws4_request`;
    request.headers.authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}`;
    return request;
  }
}

/**
 * Options of SDK clients in the same process that leave out two thirds of a call's work: signatures that nobody
 * verifies, lines for a logger that drops them, and asking the environment for endpoints at every call.
 */
export const leanSdk: object = {
  signerConstructor: AccessKeySigner,
  logger: {},
  ignoreConfiguredEndpointUrls: true,
  defaultUserAgentProvider: async () => [],
};
