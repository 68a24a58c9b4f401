/**
 * Where a contract suite runs: on the embedded AWS in this process, whose time is moved, or on what answers at
 * `ROUSE_CONTRACT_ENDPOINT`, where time is waited for. `ROUSE_CONTRACT_ENDPOINT=aws` is AWS itself.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Sha256 } from '@aws-crypto/sha256-js';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { SignatureV4 } from '@smithy/signature-v4';
import { ManualClock } from '../../local/clock.ts';
import { localAdministrator } from '../../local/credentials.ts';
import { EmbeddedAws } from '../../local/embedded-aws.ts';

type Client<T> = new (configuration: object) => T;

export interface Backend {
  name: string;
  region: string;
  accountId: string;
  /** The administrator's client. */
  client<T>(Client: Client<T>, more?: object): T;
  /** One call of a service with an `X-Amz-Target` protocol for which there is no client here. Throws what it refuses. */
  target(service: string, target: string, input: object): Promise<Record<string, unknown>>;
  /** Lets time pass: a few seconds at most, since another backend waits for it. */
  after(ms: number): Promise<void>;
}

/** What a call without a client was refused for. */
export class Refusal extends Error {}

let chosen: Promise<Backend> | undefined;

/** The backend of this run. */
export function backend(): Promise<Backend> {
  const endpoint = process.env.ROUSE_CONTRACT_ENDPOINT;
  chosen ??= endpoint ? remote(endpoint === 'aws' ? undefined : endpoint) : embedded();
  return chosen;
}

/** What {@link Backend.name} will be, known before anything runs. */
export const backendName = process.env.ROUSE_CONTRACT_BACKEND ?? 'embedded AWS';

async function embedded(): Promise<Backend> {
  const clock = new ManualClock(Date.now());
  const aws = await EmbeddedAws.create({ clock, containers: () => running() });
  const options = {
    region: aws.region,
    endpoint: 'http://aws.localhost',
    credentials: localAdministrator,
    maxAttempts: 1,
    requestHandler: aws.requestHandler(),
  };
  const settled = () => aws.environment.activity.settled();
  return {
    name: 'embedded AWS',
    region: aws.region,
    accountId: aws.environment.accountId,
    client: (Client, more) => new Client({ ...options, systemClockOffset: clock.now() - Date.now(), ...more }),
    target: async (service, target, input) => {
      const body = Buffer.from(JSON.stringify(input));
      const credential = `Credential=${localAdministrator.accessKeyId}/20270104/${aws.region}/${service}/aws4_request`;
      const headers = { 'x-amz-target': target, authorization: `AWS4-HMAC-SHA256 ${credential}` };
      const answer = await aws.handle({ method: 'POST', path: '/', query: {}, rawQuery: '', headers, body });
      return answered(answer.status, String(answer.body));
    },
    after: async (ms) => {
      const until = clock.now() + ms;
      await settled();
      while (clock.step(until)) await settled();
    },
  };
}

/** A container that runs until it is told to stop. */
function running() {
  const { promise: exited, resolve } = Promise.withResolvers<{ exitCode: number }>();
  return { exited, signal: () => resolve({ exitCode: 143 }) };
}

async function remote(endpoint: string | undefined): Promise<Backend> {
  const region = process.env.AWS_REGION || 'us-east-1';
  if (endpoint) {
    process.env.AWS_ACCESS_KEY_ID ||= 'test';
    process.env.AWS_SECRET_ACCESS_KEY ||= 'test';
  }
  const options = { region, ...(endpoint && { endpoint, forcePathStyle: true }) };
  const sts = new STSClient(options);
  const { Account: accountId = '' } = await sts.send(new GetCallerIdentityCommand({}));
  return {
    name: backendName,
    region,
    accountId,
    client: (Client, more) => new Client({ ...options, ...more }),
    target: async (service, target, input) => {
      const url = new URL(endpoint ?? `https://${service}.${region}.amazonaws.com`);
      const credentials = await sts.config.credentials();
      const signer = new SignatureV4({ service, region, credentials, sha256: Sha256 });
      const { headers, body } = await signer.sign({
        method: 'POST',
        protocol: url.protocol,
        hostname: url.hostname,
        path: '/',
        query: {},
        headers: { host: url.host, 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': target },
        body: JSON.stringify(input),
      });
      const answer = await fetch(url, { method: 'POST', headers, body });
      return answered(answer.status, await answer.text());
    },
    after: (ms) => sleep(ms),
  };
}

function answered(status: number, text: string): Record<string, unknown> {
  const body = text === '' ? {} : JSON.parse(text);
  if (status < 300) return body;
  const refusal = new Refusal(body.message ?? body.Message);
  refusal.name = String(body.__type).split('#').at(-1)!;
  throw refusal;
}
