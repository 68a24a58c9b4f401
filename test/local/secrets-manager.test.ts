import { expect, it } from 'vitest';
import { SecretsManagerService } from '../../local/services/secrets-manager.ts';
import { callTarget, makeEnvironment, makeWire } from '../support/embedded.ts';

function setUp() {
  const environment = makeEnvironment();
  const service = new SecretsManagerService(environment);
  const wire = makeWire(environment, service);
  const call = (operation: string, input: object) => callTarget(wire, `secretsmanager.${operation}`, input);
  return { clock: environment.clock, service, call };
}

it('finds a secret by a part of its ARN, too', async () => {
  const { service, call } = setUp();
  const created = await call('CreateSecret', { Name: '/rouse-agent/key', SecretString: 'one' });
  const arn = String(created.ARN);
  expect(arn).toMatch(/:secret:\/rouse-agent\/key-\w{6}$/);
  for (const SecretId of [arn, arn.slice(0, -7)])
    expect(await call('GetSecretValue', { SecretId })).toMatchObject({
      status: 200,
      SecretString: 'one',
      VersionStages: ['AWSCURRENT'],
    });
  expect(service.value(arn)).toBe('one');
});

it('deletes a secret after its recovery window, or at once', async () => {
  const { clock, call } = setUp();
  await call('CreateSecret', { Name: 'a', SecretString: 'one' });
  await call('DeleteSecret', { SecretId: 'a', RecoveryWindowInDays: 7 });
  expect(await call('GetSecretValue', { SecretId: 'a' })).toMatchObject({ __type: 'InvalidRequestException' });
  clock.step(clock.now() + 7 * 86_400_000);
  expect(await call('GetSecretValue', { SecretId: 'a' })).toMatchObject({ __type: 'ResourceNotFoundException' });
  await call('CreateSecret', { Name: 'b', SecretString: 'one' });
  await call('DeleteSecret', { SecretId: 'b', ForceDeleteWithoutRecovery: true });
  expect(await call('CreateSecret', { Name: 'b', SecretString: 'two' })).toMatchObject({ status: 200 });
});

it('refuses what it does not know by name', async () => {
  const { call } = setUp();
  expect(await call('RotateSecret', {})).toMatchObject({
    status: 501,
    message: expect.stringContaining('operation RotateSecret'),
  });
  expect(await call('CreateSecret', { Name: 'a', Type: 'k' })).toMatchObject({
    message: expect.stringContaining('parameter Type'),
  });
});
