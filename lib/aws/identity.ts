import { AssumeRoleCommand, type STSClient } from '@aws-sdk/client-sts';
import type { AwsCredentials, Identities } from '../app/ports.ts';

/** A role that assumes a role gets an hour at most (aws-facts 8). */
const credentialsSeconds = 3600;

export class StsIdentities implements Identities {
  private readonly client: STSClient;
  private readonly roleArn: string;
  private readonly fetch: typeof globalThis.fetch;

  constructor(client: STSClient, roleArn: string, fetch: typeof globalThis.fetch) {
    this.client = client;
    this.roleArn = roleArn;
    this.fetch = fetch;
  }

  async verify(request: { headers: Record<string, string>; body: string }): Promise<{ arn: string } | undefined> {
    // The host is ours to choose: a signature for any other host can't be valid at this one.
    const answer = await this.fetch(await this.url(), {
      method: 'POST',
      headers: { ...withoutHop(request.headers), accept: 'application/json' },
      body: request.body,
      redirect: 'error',
      signal: AbortSignal.timeout(8_000),
    });
    if (answer.status >= 500 || answer.status === 429)
      throw new Error(`STS answered ${answer.status} to GetCallerIdentity.`);
    if (!answer.ok) return undefined;
    const body = await answer.text();
    // AWS answers JSON when asked for it; others may not know that.
    const arn = /"Arn"\s*:\s*"([^"]+)"/.exec(body)?.[1] ?? /<Arn>([^<]+)<\/Arn>/.exec(body)?.[1];
    return arn === undefined ? undefined : { arn };
  }

  async credentialsFor(runtime: { tenant: string; agentId: string; id: string }): Promise<AwsCredentials> {
    const answer = await this.client.send(
      new AssumeRoleCommand({
        RoleArn: this.roleArn,
        RoleSessionName: runtime.id,
        DurationSeconds: credentialsSeconds,
        Tags: [
          { Key: 'tenant', Value: runtime.tenant },
          { Key: 'agent', Value: runtime.agentId },
          { Key: 'runtime', Value: runtime.id },
        ],
      }),
    );
    const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = answer.Credentials ?? {};
    if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration) throw new Error('STS gave no credentials.');
    return {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      sessionToken: SessionToken,
      expiration: Expiration.toISOString(),
    };
  }

  private async url(): Promise<string> {
    const { endpoint, region } = this.client.config;
    const configured = await endpoint?.();
    if (!configured) return `https://sts.${await region()}.amazonaws.com/`;
    const port = configured.port === undefined ? '' : `:${configured.port}`;
    return `${configured.protocol}//${configured.hostname}${port}/`;
  }
}

/** The signed headers without those that belong to the connection. */
function withoutHop(headers: Record<string, string>): Record<string, string> {
  const hop = new Set([
    'host',
    'connection',
    'content-length',
    'transfer-encoding',
    'accept',
    'expect',
    'keep-alive',
    'upgrade',
  ]);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hop.has(name.toLowerCase())));
}
