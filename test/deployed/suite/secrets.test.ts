import { DeleteParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeClients } from '../clients.ts';
import { api, target } from './setup.ts';

const name = `/rouse-agent/${target.prefix}`;
const secret = 'correct-horse-battery-staple';
const { ssm } = makeClients(target);

beforeAll(() =>
  ssm.send(new PutParameterCommand({ Name: name, Value: secret, Type: 'SecureString', Overwrite: true })),
);
afterAll(() => ssm.send(new DeleteParameterCommand({ Name: name })));

test('a secret of the template reaches the program, and no event or log line', async () => {
  const agent = await api.shell('echo "$PASSWORD"', {
    secrets: { PASSWORD: `arn:aws:ssm:${target.region}:${target.accountId}:parameter${name}` },
  });
  const task = await api.run(agent, 'x');
  expect(task.output).toBe(`${secret}\n`);
  expect(JSON.stringify(await api.eventsWith(agent, 'task.succeeded', [task]))).not.toContain(secret);
});

test('the keys of the shim are in no environment', async () => {
  const agent = await api.shell('env');
  const { output } = await api.run(agent, 'x');
  expect(output).toMatch(/^ROUSE_TASK_ID=/m);
  expect(output).not.toMatch(/^(AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN)=/m);
  expect(output).not.toContain(target.apiKey);
});
