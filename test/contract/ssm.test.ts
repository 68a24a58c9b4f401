import {
  DeleteParameterCommand,
  GetParameterCommand,
  GetParametersByPathCommand,
  GetParametersCommand,
  ListTagsForResourceCommand,
  PutParameterCommand,
  type PutParameterCommandInput,
  SSMClient,
} from '@aws-sdk/client-ssm';
import { expect } from 'vitest';
import { contract, type World } from './claim.ts';

function parameters(world: World) {
  const ssm = world.client(SSMClient);
  const put = (Name: string, Value: string, more: Partial<PutParameterCommandInput> = {}) => {
    world.later(() => ssm.send(new DeleteParameterCommand({ Name })));
    return ssm.send(new PutParameterCommand({ Name, Value, Type: 'String', ...more }));
  };
  const get = async (Name: string, WithDecryption = true) =>
    (await ssm.send(new GetParameterCommand({ Name, WithDecryption }))).Parameter!;
  return { ssm, put, get };
}

contract('SSM', (claim) => {
  claim('PutParameter', 'without overwrite is refused for a parameter that is there', async (world) => {
    const { put, get } = parameters(world);
    const name = `/${world.unique('contract')}`;
    await put(name, '1');
    await expect(put(name, '2')).rejects.toMatchObject({ name: 'ParameterAlreadyExists' });
    expect((await get(name)).Value).toBe('1');
  });

  claim('PutParameter', 'with overwrite makes the next version', async (world) => {
    const { put, get } = parameters(world);
    const name = `/${world.unique('contract')}`;
    await put(name, '1');
    expect(await put(name, '2', { Overwrite: true })).toMatchObject({ Version: 2 });
    expect(await get(name)).toMatchObject({ Name: name, Value: '2', Version: 2, Type: 'String' });
  });

  claim('PutParameter', 'a standard parameter holds at most 4 KB', async (world) => {
    const { put } = parameters(world);
    const call = put(`/${world.unique('contract')}`, 'x'.repeat(4097));
    await expect(call).rejects.toMatchObject({ name: 'ValidationException' });
  });

  claim('PutParameter', 'gives a new parameter its tags, which ListTagsForResource tells', async (world) => {
    const { ssm, put } = parameters(world);
    const name = `/${world.unique('contract')}`;
    await put(name, '1', { Tags: [{ Key: 'rouse', Value: 'x' }] });
    const tags = await ssm.send(new ListTagsForResourceCommand({ ResourceType: 'Parameter', ResourceId: name }));
    expect(tags.TagList).toEqual([{ Key: 'rouse', Value: 'x' }]);
  });

  claim('PutParameter', 'takes no tags together with overwrite', async (world) => {
    const { put } = parameters(world);
    const call = put(`/${world.unique('contract')}`, '1', { Overwrite: true, Tags: [{ Key: 'rouse', Value: 'x' }] });
    await expect(call).rejects.toMatchObject({ name: 'ValidationException' });
  });

  claim('GetParameter', 'a secure string is shown only decrypted', async (world) => {
    const { put, get } = parameters(world);
    const name = `/${world.unique('contract')}`;
    await put(name, 'sesame', { Type: 'SecureString' });
    expect((await get(name)).Value).toBe('sesame');
    expect((await get(name, false)).Value).not.toContain('sesame');
  });

  claim('GetParameter', 'of a parameter that is not there is ParameterNotFound', async (world) => {
    const { get } = parameters(world);
    await expect(get(`/${world.unique('none')}`)).rejects.toMatchObject({ name: 'ParameterNotFound' });
  });

  claim('GetParameter', 'takes an ARN, too, and tells it', async (world) => {
    const { put, get } = parameters(world);
    const name = `/${world.unique('contract')}`;
    await put(name, '1');
    const { ARN } = await get(name);
    expect(ARN).toBe(`arn:aws:ssm:${world.region}:${world.accountId}:parameter${name}`);
    expect((await get(ARN!)).Name).toBe(name);
  });

  claim('GetParameters', 'tells what is there and what is not', async (world) => {
    const { ssm, put } = parameters(world);
    const [name, none] = [`/${world.unique('contract')}`, `/${world.unique('none')}`];
    await put(name, '1');
    const answer = await ssm.send(new GetParametersCommand({ Names: [name, none] }));
    expect(answer.Parameters).toMatchObject([{ Name: name }]);
    expect(answer.InvalidParameters).toEqual([none]);
  });

  claim('GetParametersByPath', 'finds what lies in a path, and below it when told so', async (world) => {
    const { ssm, put } = parameters(world);
    const path = `/${world.unique('contract')}`;
    for (const name of ['a', 'b', 'deep/c']) await put(`${path}/${name}`, '1');
    const names = async (Recursive: boolean) =>
      (await ssm.send(new GetParametersByPathCommand({ Path: path, Recursive }))).Parameters?.map(({ Name }) => Name);
    expect((await names(false))?.toSorted()).toEqual([`${path}/a`, `${path}/b`]);
    expect((await names(true))?.toSorted()).toEqual([`${path}/a`, `${path}/b`, `${path}/deep/c`]);
  });

  claim('DeleteParameter', 'takes it away, and is refused the second time', async (world) => {
    const { ssm, put, get } = parameters(world);
    const name = `/${world.unique('contract')}`;
    await put(name, '1');
    await ssm.send(new DeleteParameterCommand({ Name: name }));
    await expect(get(name)).rejects.toMatchObject({ name: 'ParameterNotFound' });
    const again = ssm.send(new DeleteParameterCommand({ Name: name }));
    await expect(again).rejects.toMatchObject({ name: 'ParameterNotFound' });
  });
});
