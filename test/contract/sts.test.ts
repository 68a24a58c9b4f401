import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { expect } from 'vitest';
import { contract } from './claim.ts';

contract('STS', (claim) => {
  claim('GetCallerIdentity', 'tells account and ARN of the caller', async (world) => {
    const identity = await world.client(STSClient).send(new GetCallerIdentityCommand({}));
    expect(identity.Account).toBe(world.accountId);
    expect(identity.Arn).toMatch(new RegExp(`^arn:aws:(iam|sts)::${world.accountId}:`));
  });

  claim('GetCallerIdentity', 'an unknown access key is refused', async (world) => {
    const credentials = { accessKeyId: 'AKIAQQQQQQQQQQQQQQQQ', secretAccessKey: 'nothing' };
    const call = world.client(STSClient, { credentials }).send(new GetCallerIdentityCommand({}));
    await expect(call).rejects.toMatchObject({ name: 'InvalidClientTokenId' });
  });
});
