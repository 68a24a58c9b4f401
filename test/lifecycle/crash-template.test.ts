import { expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { TestStack } from '../support/stack.ts';
import { crashEverywhere } from './crash-everywhere.ts';

test('a template can be changed again, after whichever AWS call the function that changed it has died', async () => {
  const stack = await TestStack.start();
  const client = new Client(stack);
  let cpu = 256;
  let timeoutSeconds = 1;
  const isOfApi = ({ function: name }: { function: string }) => name === 'api';
  await crashEverywhere(stack, 'after', isOfApi, 3, async () => {
    cpu = cpu === 256 ? 512 : 256;
    const spec = { driver: { type: 'command', command: ['true'] }, cpu, memoryMiB: 1024 };
    const next = { ...spec, task: { timeoutSeconds: ++timeoutSeconds } };
    // One of them dies.
    for (const one of [spec, next]) await stack.request('PUT', '/v1/templates/echo', one);
    await client.putTemplate('echo', next);
    await stack.advance(2);
    expect(await stack.call('GET', '/v1/templates/echo')).toMatchObject({ cpu, task: { timeoutSeconds } });
  });
  await stack.close();
});
