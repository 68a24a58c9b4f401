import {
  DeleteParameterCommand,
  GetParameterCommand,
  GetParametersByPathCommand,
  GetParametersCommand,
  PutParameterCommand,
  SSMClient,
} from '@aws-sdk/client-ssm';
import { expect, it } from 'vitest';
import { SsmService } from '../../local/services/ssm.ts';
import { client, makeEnvironment, makeWire } from '../support/embedded.ts';

function setUp() {
  const environment = makeEnvironment();
  const service = new SsmService(environment);
  const ssm = client(SSMClient, makeWire(environment, service));
  const put = (Name: string, Value: string, more: object = {}) =>
    ssm.send(new PutParameterCommand({ Name, Value, Type: 'String', ...more }));
  const get = async (Name: string, WithDecryption = true) =>
    (await ssm.send(new GetParameterCommand({ Name, WithDecryption }))).Parameter;
  return { service, ssm, put, get };
}

it('keeps a parameter and its version', async () => {
  const { put, get } = setUp();
  await put('/rouse/key', '1');
  expect(await put('/rouse/key', '2', { Overwrite: true })).toMatchObject({ Version: 2 });
  const ARN = 'arn:aws:ssm:us-east-1:000000000000:parameter/rouse/key';
  expect(await get('/rouse/key')).toMatchObject({ Value: '2', Version: 2, ARN, LastModifiedDate: expect.any(Date) });
  expect(await get(ARN)).toMatchObject({ Name: '/rouse/key' });
});

it('overwrites only when it is told to', async () => {
  const { put } = setUp();
  await put('key', '1');
  await expect(put('key', '2')).rejects.toMatchObject({ name: 'ParameterAlreadyExists' });
});

it('shows a secure string only decrypted', async () => {
  const { service, put, get } = setUp();
  await put('secret', 'open sesame', { Type: 'SecureString' });
  expect((await get('secret'))?.Value).toBe('open sesame');
  expect((await get('secret', false))?.Value).not.toContain('sesame');
  expect(service.value('secret')).toBe('open sesame');
});

it('gets several by name or by path', async () => {
  const { ssm, put } = setUp();
  for (const name of ['/a/1', '/a/2', '/a/b/3', '/c']) await put(name, 'x');
  const answer = await ssm.send(new GetParametersCommand({ Names: ['/c', '/d'] }));
  expect(answer.Parameters).toMatchObject([{ Name: '/c' }]);
  expect(answer.InvalidParameters).toEqual(['/d']);
  const byPath = async (more: object) =>
    (await ssm.send(new GetParametersByPathCommand({ Path: '/a', ...more }))).Parameters?.map(({ Name }) => Name);
  expect(await byPath({})).toEqual(['/a/1', '/a/2']);
  expect(await byPath({ Recursive: true })).toEqual(['/a/1', '/a/2', '/a/b/3']);
  expect(await byPath({ MaxResults: 1 })).toEqual(['/a/1']);
});

it('refuses what is not there, badly named or too long', async () => {
  const { ssm, put, get } = setUp();
  await expect(get('/a')).rejects.toMatchObject({ name: 'ParameterNotFound' });
  await expect(ssm.send(new DeleteParameterCommand({ Name: '/a' }))).rejects.toMatchObject({
    name: 'ParameterNotFound',
  });
  await expect(put('aws-key', 'x')).rejects.toMatchObject({ name: 'ValidationException' });
  await expect(put('key', 'x'.repeat(4097))).rejects.toMatchObject({ name: 'ValidationException' });
  await expect(put('key', 'x', { AllowedPattern: '.*' })).rejects.toThrow('parameter AllowedPattern of PutParameter');
});
