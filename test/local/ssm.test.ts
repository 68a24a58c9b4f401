import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { expect, it } from 'vitest';
import { SsmService } from '../../local/services/ssm.ts';
import { client, makeEnvironment, makeWire } from '../support/embedded.ts';

it('refuses what is badly named, or not emulated', async () => {
  const environment = makeEnvironment();
  const ssm = client(SSMClient, makeWire(environment, new SsmService(environment)));
  const put = (Name: string, more: object = {}) =>
    ssm.send(new PutParameterCommand({ Name, Value: 'x', Type: 'String', ...more }));
  await expect(put('aws-key')).rejects.toMatchObject({ name: 'ValidationException' });
  await expect(put('key', { AllowedPattern: '.*' })).rejects.toThrow('parameter AllowedPattern of PutParameter');
});
