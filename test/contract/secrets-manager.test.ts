import { expect } from 'vitest';
import { contract, type World } from './claim.ts';

function secrets(world: World) {
  const call = (operation: string, input: object) =>
    world.target('secretsmanager', `secretsmanager.${operation}`, {
      ...(operation === 'CreateSecret' || operation === 'PutSecretValue'
        ? { ClientRequestToken: crypto.randomUUID() }
        : {}),
      ...input,
    });
  const create = async (more: object = {}) => {
    const Name = `/rouse-agent/${world.unique('contract')}`;
    world.later(() => call('DeleteSecret', { SecretId: Name, ForceDeleteWithoutRecovery: true }));
    return { Name, ...(await call('CreateSecret', { Name, SecretString: 'one', ...more })) } as {
      Name: string;
      ARN: string;
    };
  };
  return { call, create };
}

contract('Secrets Manager', (claim) => {
  claim('CreateSecret', 'the ARN ends with six random characters', async (world) => {
    const { create } = secrets(world);
    const { Name, ARN } = await create();
    const expected = `arn:aws:secretsmanager:${world.region}:${world.accountId}:secret:${Name}-`;
    expect([ARN.slice(0, -6), ARN.slice(-6)]).toEqual([expected, expect.stringMatching(/^\w{6}$/)]);
  });

  claim('CreateSecret', 'the same name twice is refused', async (world) => {
    const { call, create } = secrets(world);
    const { Name } = await create();
    const again = call('CreateSecret', { Name, SecretString: 'two' });
    await expect(again).rejects.toMatchObject({ name: 'ResourceExistsException' });
  });

  claim('GetSecretValue', 'finds it by name and by ARN', async (world) => {
    const { call, create } = secrets(world);
    const { Name, ARN } = await create();
    for (const SecretId of [Name, ARN])
      expect(await call('GetSecretValue', { SecretId })).toMatchObject({
        SecretString: 'one',
        VersionStages: ['AWSCURRENT'],
      });
  });

  claim('GetSecretValue', 'of a secret that is not there is ResourceNotFoundException', async (world) => {
    const { call } = secrets(world);
    const get = call('GetSecretValue', { SecretId: world.unique('none') });
    await expect(get).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  claim('PutSecretValue', 'keeps the version before the current one', async (world) => {
    const { call, create } = secrets(world);
    const { Name: SecretId } = await create();
    await call('PutSecretValue', { SecretId, SecretString: 'two' });
    expect(await call('GetSecretValue', { SecretId })).toMatchObject({ SecretString: 'two' });
    const before = await call('GetSecretValue', { SecretId, VersionStage: 'AWSPREVIOUS' });
    expect(before).toMatchObject({ SecretString: 'one' });
  });

  claim('DescribeSecret', 'tells of a secret without showing it', async (world) => {
    const { call, create } = secrets(world);
    const { Name, ARN } = await create();
    const description = await call('DescribeSecret', { SecretId: Name });
    expect(description).toMatchObject({ Name, ARN });
    expect(JSON.stringify(description)).not.toContain('"one"');
  });

  claim('DeleteSecret', 'a secret that waits for its deletion is not read', async (world) => {
    const { call, create } = secrets(world);
    const { Name: SecretId } = await create();
    await call('DeleteSecret', { SecretId });
    await expect(call('GetSecretValue', { SecretId })).rejects.toMatchObject({ name: 'InvalidRequestException' });
  });
});
