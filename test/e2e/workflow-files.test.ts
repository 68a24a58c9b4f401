import { expect, test } from 'vitest';
import type { AgentResource, ApiClient } from './support/client.ts';
import { sharedStack } from './support/shared-stack.ts';

let api: ApiClient;
/** Their tasks' inputs are the scripts that they run. */
let writer: AgentResource;
let reader: AgentResource;

sharedStack(async (client) => {
  api = client;
  const once = { task: { retry: { initialSeconds: 0 } } };
  writer = await api.agent({ driver: { type: 'command', command: ['sh'] }, ...once });
  reader = await api.agent({ driver: { type: 'command', command: ['sh'] }, ...once });
});

interface Run {
  id: string;
  status: string;
  output: unknown;
  error: unknown;
}

async function outcome(name: string, steps: unknown[]): Promise<Run> {
  await api.call('PUT', `/v1/workflows/${name}`, { steps });
  const run = await api.call<Run>('POST', `/v1/workflows/${name}/runs`, { input: null });
  for (;;) {
    const now = await api.call<Run>('GET', `/v1/runs/${run.id}?waitSeconds=20`);
    if (now.status !== 'running') return now;
  }
}

test('files that a step exports are in the workspace of the next one', async () => {
  const run = await outcome('report', [
    {
      id: 'write',
      agent: writer.id,
      input: 'mkdir -p out; echo hello > out/report.md; echo no > other',
      exports: ['out/*.md'],
    },
    { id: 'read', agent: reader.id, needs: ['write'], input: 'cat out/report.md; ls' },
  ]);
  expect(run).toMatchObject({ status: 'succeeded', error: null, output: 'hello\nout\n' });
});

test('files of the items of a step lie in folders of their own', async () => {
  const run = await outcome('reports', [
    {
      id: 'write',
      agent: writer.id,
      forEach: ['a', 'b'],
      input: "{% 'echo ' & $item & ' > it.md' %}",
      exports: ['*.md'],
    },
    { id: 'read', agent: reader.id, needs: ['write'], input: 'cat write/0/it.md write/1/it.md' },
  ]);
  expect(run).toMatchObject({ status: 'succeeded', error: null, output: 'a\nb\n' });
});

test('an answer that does not fit is tried again by an attempt that knows why', async () => {
  const schema = { type: 'object', required: ['count'] };
  const script = 'if [ "$ROUSE_ATTEMPT" = 1 ]; then echo "{}"; else printf \'{"count": "%s"}\' "$ROUSE_LAST_ERROR"; fi';
  const run = await outcome('schema', [
    { id: 'ask', agent: writer.id, input: script, output: { type: 'json', schema } },
  ]);
  expect(run.status).toBe('succeeded');
  expect((run.output as { count: string }).count).toMatch(/^output_invalid: .*required property 'count'/);
});
