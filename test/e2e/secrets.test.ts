import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { expect, test, vi } from 'vitest';
import { localAdministrator } from '../../local/credentials.ts';
import type { StartedStack } from '../../local/start/stack.ts';
import type { ObservedCall } from '../../local/wire.ts';
import type { TaskResource } from './support/client.ts';
import { ownStack } from './support/shared-stack.ts';

const secret = 'correct-horse-battery-staple';

let stack: StartedStack;
let task: TaskResource;
let events: string;
const calls: ObservedCall[] = [];

/** A stack in which an agent with a secret has done a task. */
ownStack(async (api, started) => {
  stack = started;
  stack.aws.observe((call) => calls.push(call));
  const name = '/rouse-agent/e2e';
  const ssm = new SSMClient({ region: 'us-east-1', endpoint: stack.awsEndpointUrl, credentials: localAdministrator });
  await ssm.send(new PutParameterCommand({ Name: name, Value: secret, Type: 'SecureString' }));
  ssm.destroy();
  const agent = await api.shell('env', {
    secrets: { PASSWORD: `arn:aws:ssm:us-east-1:000000000000:parameter${name}` },
  });
  task = await api.run(agent, 'x');
  events = JSON.stringify(await api.eventsWith(agent, 'task.succeeded', [task]));
});

/** What would let somebody act as the shim, the functions or the administrator. */
function keysOf(issued: readonly ObservedCall[]): string[] {
  const assumed = issued.filter(({ operation }) => operation === 'AssumeRole');
  const credentials = assumed.map(({ output }) =>
    /<SecretAccessKey>([^<]+)<.*<SessionToken>([^<]+)</s.exec(text(output)),
  );
  expect(credentials.length).toBeGreaterThan(0);
  return [stack.apiKey, ...credentials.flatMap((match) => [match![1]!, match![2]!])];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** All that functions and containers have logged. */
async function logged(): Promise<string> {
  const ask = async (operation: string, input: object) => {
    const response = await fetch(stack.awsEndpointUrl, {
      method: 'POST',
      headers: {
        'x-amz-target': `Logs_20140328.${operation}`,
        'content-type': 'application/x-amz-json-1.1',
        authorization: 'AWS4-HMAC-SHA256 Credential=local/20270104/us-east-1/logs/aws4_request',
      },
      body: JSON.stringify(input),
    });
    return response.json() as Promise<Record<string, Record<string, string>[]>>;
  };
  const { logGroups } = await ask('DescribeLogGroups', {});
  let all = '';
  for (const { logGroupName } of logGroups!) all += JSON.stringify(await ask('FilterLogEvents', { logGroupName }));
  return all;
}

test('a secret of the template reaches the program, and nobody else', async () => {
  expect(task.output).toContain(`PASSWORD=${secret}\n`);
  const launches = calls.filter(({ service }) => service === 'ecs').map(({ input, output }) => text({ input, output }));
  expect(launches.length).toBeGreaterThan(0);
  expect(launches.join('')).not.toContain(secret);
  expect(events).not.toContain(secret);
  expect(await logged()).not.toContain(secret);
});

test('the keys of the shim are in no environment, no event, no log and no launch', async () => {
  const keys = keysOf(calls);
  const output = task.output as string;
  expect(output).not.toMatch(/^(AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|ROUSE_API_URL)=/m);
  const launches = calls.filter(({ operation }) => operation === 'RunTask').map(({ input }) => text(input));
  expect(launches).toHaveLength(1);
  // A container's log is forwarded a moment after it is written.
  const logs = await vi.waitFor(
    async () => {
      const text = await logged();
      expect(text).toContain('enrolled');
      return text;
    },
    { timeout: 10_000, interval: 100 },
  );
  for (const [where, found] of Object.entries({ output, events, launches: launches.join(), logs })) {
    for (const key of keys) expect(found.includes(key), where).toBe(false);
    expect(found, where).not.toMatch(/rt1\.[\w-]{20}/);
  }
});
