import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';

/** A signed request that the runtime function sends to STS to learn who asks. */
export interface SignedIdentity {
  url: string;
  headers: Record<string, string>;
  body: string;
}

export interface TaskRoleCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string | undefined;
}

/** Fargate's agent answers here: a link-local address, the same in every container. */
const containerCredentialsHost = 'http://169.254.170.2';

/**
 * Reads the task role's credentials from the container credentials endpoint.
 * Throws a sentence where there is no endpoint or it does not answer as documented.
 */
export async function readTaskRoleCredentials(
  env: NodeJS.ProcessEnv,
  fetchUrl: typeof fetch,
): Promise<TaskRoleCredentials> {
  const relative = env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI;
  const url = relative ? `${containerCredentialsHost}${relative}` : env.AWS_CONTAINER_CREDENTIALS_FULL_URI;
  if (!url) {
    throw new Error(
      'The shim has no task role: neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set. Give the task definition a task role.',
    );
  }
  const authorization = env.AWS_CONTAINER_AUTHORIZATION_TOKEN;
  const response = await fetchUrl(url, {
    headers: authorization ? { authorization } : {},
    signal: AbortSignal.timeout(5_000),
  });
  if (!response.ok) throw new Error(`The container credentials endpoint answered HTTP ${response.status}.`);
  const answer = (await response.json()) as { AccessKeyId?: string; SecretAccessKey?: string; Token?: string };
  if (!answer.AccessKeyId || !answer.SecretAccessKey) {
    throw new Error('The container credentials endpoint answered without AccessKeyId and SecretAccessKey.');
  }
  return { accessKeyId: answer.AccessKeyId, secretAccessKey: answer.SecretAccessKey, sessionToken: answer.Token };
}

/**
 * Signs `sts:GetCallerIdentity` for one API and one runtime. The signature covers both, so that it is worthless to
 * anybody who would replay it to another deployment or for another runtime.
 */
export async function signIdentity(
  credentials: TaskRoleCredentials,
  { region, apiUrl, runtimeId, now }: { region: string; apiUrl: string; runtimeId: string; now: number },
): Promise<SignedIdentity> {
  const hostname = `sts.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
  const body = 'Action=GetCallerIdentity&Version=2011-06-15';
  const signer = new SignatureV4({
    credentials: {
      accessKeyId: credentials.accessKeyId,
      secretAccessKey: credentials.secretAccessKey,
      ...(credentials.sessionToken ? { sessionToken: credentials.sessionToken } : {}),
    },
    region,
    service: 'sts',
    sha256: Sha256,
  });
  const signed = await signer.sign(
    {
      method: 'POST',
      protocol: 'https:',
      hostname,
      path: '/',
      query: {},
      headers: {
        host: hostname,
        'content-type': 'application/x-www-form-urlencoded',
        'x-rouse-api': new URL(apiUrl).origin,
        'x-rouse-runtime': runtimeId,
      },
      body,
    },
    { signingDate: new Date(now) },
  );
  return { url: `https://${hostname}/`, headers: signed.headers, body };
}
