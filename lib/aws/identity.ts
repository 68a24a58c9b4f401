import http from 'node:http';
import https from 'node:https';
import { AssumeRoleCommand, type STSClient } from '@aws-sdk/client-sts';
import type { AwsCredentials, Identities } from '../app/ports.ts';

/** A role that assumes a role gets an hour at most (aws-facts 8). */
const credentialsSeconds = 3600;

/** The agent's tag of a standby: no agent's files are under this name. */
const noAgent = 'none';

/** Posts a request with exactly these headers, `host` among them, which `fetch` would not send. */
export type Post = (
  url: string,
  headers: Record<string, string>,
  body: string,
) => Promise<{ status: number; body: string }>;

export class StsIdentities implements Identities {
  private readonly client: STSClient;
  private readonly roleArn: string;
  private readonly endpoint: string | undefined;
  private readonly post: Post;

  /** @param endpoint where STS is reached instead of its own name; the SDK does not tell before its first call */
  constructor(client: STSClient, roleArn: string, endpoint?: string, post: Post = postOverHttp) {
    this.client = client;
    this.roleArn = roleArn;
    this.endpoint = endpoint;
    this.post = post;
  }

  async verify(request: { headers: Record<string, string>; body: string }): Promise<{ arn: string } | undefined> {
    // The host is ours to choose, whatever the request says: a signature for another one is not valid at this one.
    const host = stsHost(await this.client.config.region());
    const headers = { ...withoutHop(request.headers), host, accept: 'application/json' };
    const answer = await this.post(this.endpoint ?? `https://${host}/`, headers, request.body);
    if (answer.status >= 500 || answer.status === 429)
      throw new Error(`STS answered ${answer.status} to GetCallerIdentity.`);
    if (answer.status !== 200) return undefined;
    // AWS answers JSON when asked for it; others may not know that.
    const arn = /"Arn"\s*:\s*"([^"]+)"/.exec(answer.body)?.[1] ?? /<Arn>([^<]+)<\/Arn>/.exec(answer.body)?.[1];
    return arn === undefined ? undefined : { arn };
  }

  async credentialsFor(runtime: { tenant: string; agentId?: string | undefined; id: string }): Promise<AwsCredentials> {
    const answer = await this.client.send(
      new AssumeRoleCommand({
        RoleArn: this.roleArn,
        RoleSessionName: runtime.id,
        DurationSeconds: credentialsSeconds,
        Tags: [
          { Key: 'tenant', Value: runtime.tenant },
          { Key: 'agent', Value: runtime.agentId ?? noAgent },
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
}

function stsHost(region: string): string {
  return `sts.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

const timeoutMs = 8_000;

const postOverHttp: Post = (url, headers, body) =>
  new Promise((resolve, reject) => {
    const options = {
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      timeout: timeoutMs,
    };
    const outgoing = (url.startsWith('https:') ? https : http).request(url, options, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`STS did not answer within ${timeoutMs / 1000} s.`)));
    outgoing.on('error', reject);
    outgoing.end(body);
  });

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
