import { Sha256 } from '@aws-crypto/sha256-js';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { SignatureV4 } from '@smithy/signature-v4';
import { describe, expect, it } from 'vitest';
import type { WireRequest } from '../../local/service.ts';
import { StsService } from '../../local/services/sts.ts';
import { client, makeEnvironment, makeWire } from '../support/embedded.ts';

const roleArn = 'arn:aws:iam::000000000000:role/rouse-agent/worker';

function setUp() {
  const environment = makeEnvironment();
  const service = new StsService(environment);
  const wire = makeWire(environment, service);
  const issued = environment.credentials.issue(roleArn, 'task-1', 3600);
  const systemClockOffset = environment.clock.now() - Date.now();
  const as = (credentials: object) => client(STSClient, wire, { credentials, systemClockOffset } as object);

  /** Signs GetCallerIdentity by hand, as a shim does. */
  const signed = async (headers: Record<string, string> = {}, accept?: string): Promise<WireRequest> => {
    const body = 'Action=GetCallerIdentity&Version=2011-06-15';
    const signer = new SignatureV4({ service: 'sts', region: 'us-east-1', credentials: issued, sha256: Sha256 });
    const request = {
      protocol: 'https:',
      hostname: 'sts.us-east-1.amazonaws.com',
      method: 'POST',
      path: '/',
      query: {},
      body,
      headers: { host: 'sts.us-east-1.amazonaws.com', 'content-type': 'application/x-www-form-urlencoded', ...headers },
    };
    const done = await signer.sign(request, { signingDate: new Date(environment.clock.now()) });
    const lowerCase = Object.entries(done.headers).map(([name, value]) => [name.toLowerCase(), value]);
    const all = { ...Object.fromEntries(lowerCase), ...(accept && { accept }) };
    return { method: 'POST', path: '/', query: {}, rawQuery: '', headers: all, body: Buffer.from(body) };
  };
  return { environment, clock: environment.clock, service, wire, issued, as, signed };
}

describe('GetCallerIdentity', () => {
  it('names the role session or the account that signed', async () => {
    const { as, issued } = setUp();
    expect(await as(issued).send(new GetCallerIdentityCommand({}))).toMatchObject({
      Arn: 'arn:aws:sts::000000000000:assumed-role/worker/task-1',
      Account: '000000000000',
      UserId: expect.stringMatching(/^AROA.*:task-1$/),
    });
    const administrator = as({ accessKeyId: 'local', secretAccessKey: 'local' });
    expect(await administrator.send(new GetCallerIdentityCommand({}))).toMatchObject({
      Arn: 'arn:aws:iam::000000000000:root',
    });
  });

  it('answers a plain signed request in XML, or in JSON when that is accepted', async () => {
    const { wire, signed } = setUp();
    const xml = await wire.handle(await signed({ 'x-rouse-api': 'http://localhost' }));
    expect(xml.status).toBe(200);
    expect(xml.body).toContain('<Arn>arn:aws:sts::000000000000:assumed-role/worker/task-1</Arn>');
    const json = await wire.handle(await signed({}, 'application/json'));
    expect(JSON.parse(String(json.body)).GetCallerIdentityResponse.GetCallerIdentityResult.Account).toBe(
      '000000000000',
    );
  });

  it('refuses a changed header, body or path', async () => {
    const { wire, signed } = setUp();
    const good = await signed({ 'x-rouse-api': 'http://localhost', 'x-rouse-runtime': 'rt_1' });
    const changes: Partial<WireRequest>[] = [
      { headers: { ...good.headers, 'x-rouse-runtime': 'rt_2' } },
      { headers: { ...good.headers, 'x-rouse-api': 'http://elsewhere' } },
      { path: '/x' },
      { body: Buffer.from('Action=GetCallerIdentity&Version=2011-06-16') },
    ];
    for (const change of changes) {
      const answer = await wire.handle({ ...good, ...change });
      expect(answer.status).toBe(403);
      expect(answer.body).toContain('<Code>SignatureDoesNotMatch</Code>');
    }
    expect((await wire.handle(good)).status).toBe(200);
  });

  it('refuses a signature older than 15 minutes', async () => {
    const { wire, signed, clock } = setUp();
    const request = await signed();
    clock.step(clock.now() + 15 * 60_000);
    expect((await wire.handle(request)).status).toBe(200);
    clock.step(clock.now() + 1000);
    expect((await wire.handle(request)).body).toContain('Signature expired');
  });

  it('tells a wrong secret, an unknown key and an expired session apart', async () => {
    const { as, issued, clock, environment } = setUp();
    const ask = (credentials: object) => as(credentials).send(new GetCallerIdentityCommand({}));
    await expect(ask({ ...issued, secretAccessKey: 'x' })).rejects.toMatchObject({ name: 'SignatureDoesNotMatch' });
    await expect(ask({ ...issued, sessionToken: 'x' })).rejects.toMatchObject({ name: 'InvalidClientTokenId' });
    await expect(ask({ accessKeyId: 'ASIAX', secretAccessKey: 'x' })).rejects.toMatchObject({
      name: 'InvalidClientTokenId',
    });
    clock.step(clock.now() + 3_600_000);
    environment.credentials.issue(roleArn, 'another', 900);
    await expect(ask(issued)).rejects.toMatchObject({ name: expect.stringMatching(/^ExpiredToken/) });
  });
});

describe('AssumeRole', () => {
  const input = { RoleArn: roleArn, RoleSessionName: 'agent-1' };

  it('issues credentials of a tagged session', async () => {
    const { as, issued, environment } = setUp();
    const Tags = [
      { Key: 'tenant', Value: 'default' },
      { Key: 'agent', Value: 'ag_1' },
    ];
    const answer = await as(issued).send(new AssumeRoleCommand({ ...input, Tags, DurationSeconds: 900 }));
    expect(answer.AssumedRoleUser?.Arn).toBe('arn:aws:sts::000000000000:assumed-role/worker/agent-1');
    const found = environment.credentials.find(answer.Credentials!.AccessKeyId!);
    expect(found?.principal.tags).toEqual({ tenant: 'default', agent: 'ag_1' });
    expect(answer.Credentials?.Expiration?.getTime()).toBe(environment.clock.now() + 900_000);
  });

  it('allows an hour at most to a role session', async () => {
    const { as, issued } = setUp();
    const call = (credentials: object) =>
      as(credentials).send(new AssumeRoleCommand({ ...input, DurationSeconds: 7200 }));
    await expect(call(issued)).rejects.toMatchObject({ name: 'ValidationError' });
    await call({ accessKeyId: 'local', secretAccessKey: 'local' });
  });

  it('refuses unknown roles, bad names and parameters that are not emulated', async () => {
    const { as, issued, service } = setUp();
    const call = (more: object) => as(issued).send(new AssumeRoleCommand({ ...input, ...more }));
    await expect(call({ RoleSessionName: 'a b' })).rejects.toMatchObject({ name: 'ValidationError' });
    await expect(call({ RoleArn: 'arn:aws:iam::000000000000:user/x-is-no-role' })).rejects.toMatchObject({
      name: 'ValidationError',
    });
    await expect(call({ Policy: 'no JSON' })).rejects.toMatchObject({
      name: expect.stringContaining('MalformedPolicy'),
    });
    await expect(call({ ExternalId: 'ex' })).rejects.toThrow('parameter ExternalId of AssumeRole');
    service.roles = { roleExists: () => false };
    await expect(call({})).rejects.toMatchObject({ name: expect.stringContaining('AccessDenied') });
  });
});
