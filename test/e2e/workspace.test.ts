import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentResource, ApiClient } from './support/client.ts';
import { isAlive, numbersIn } from './support/processes.ts';
import { sharedStack } from './support/shared-stack.ts';

let api: ApiClient;
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rouse-e2e-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
sharedStack((client) => {
  api = client;
});

/** Its tasks' inputs are the scripts that it runs. */
const scripted = (workspace: object = {}): Promise<AgentResource> =>
  api.agent({ driver: { type: 'command', command: ['sh'] }, task: { maxAttempts: 1 }, workspace });

async function pause(agent: AgentResource): Promise<AgentResource> {
  await api.call('POST', `/v1/agents/${agent.id}/pause`);
  return api.untilStatus(agent, 'paused');
}

describe('a workspace', () => {
  test('is there again after a pause, with names, modes, links and empty folders as they were', async () => {
    const agent = await scripted();
    await api.run(
      agent,
      `mkdir -p 'über/leer' && printf 'Zeile' > 'über/日本 🎉.txt' && printf '#!/bin/sh\\necho ran' > run.sh
       chmod 750 run.sh && ln -s 'über/日本 🎉.txt' link && ln -s nowhere dangling && : > empty`,
    );
    const paused = await pause(agent);
    expect(paused.workspace?.generation).toBeGreaterThanOrEqual(1);
    expect(paused.runtime).toBeNull();

    const again = await api.run(
      agent,
      `cat link; echo; readlink link dangling; ls -l run.sh | cut -c1-10; ./run.sh; [ -d 'über/leer' ] && [ ! -s empty ] && ls -A | wc -l`,
    );
    expect(again).toMatchObject({ status: 'succeeded', attempt: 1 });
    expect((again.output as string).split('\n').map((line) => line.trim())).toEqual([
      'Zeile',
      'über/日本 🎉.txt',
      'nowhere',
      '-rwxr-x---',
      'ran',
      '5',
      '',
    ]);
  });

  test('loses with its container what was not saved, and nothing else', async () => {
    const shimFile = join(folder, 'shim');
    const agent = await scripted({ minSaveIntervalSeconds: 3600 });
    const saved = await api.run(agent, `echo kept > first; echo $PPID > ${shimFile}`);
    await api.run(agent, 'echo lost > second; echo changed > first');
    expect((await api.agentNow(agent)).workspace?.generation).toBe(1);
    expect(saved).toMatchObject({ generation: 1 });
    const [shim] = numbersIn(shimFile);
    process.kill(shim!, 'SIGKILL');
    const third = await api.run(agent, 'cat first; ls');
    expect(third).toMatchObject({ status: 'succeeded', output: 'kept\nfirst\n', failures: 0 });
    expect(isAlive(shim!)).toBe(false);
  });

  test('is seen by no other agent', async () => {
    const [one, other] = await Promise.all([scripted(), scripted()]);
    const [mine, theirs] = await Promise.all([
      api.run(one, 'echo mine > file; pwd'),
      api.run(other, 'echo theirs > other; pwd'),
    ]);
    expect(mine.output).not.toBe(theirs.output);
    expect((await api.run(one, 'ls -A')).output).toBe('file\n');
    expect((await api.run(other, 'ls -A')).output).toBe('other\n');
  });
});
