import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isAlive } from './support/processes.ts';

const modules = join(import.meta.dirname, '../../agent');

/** Ends as the shim does when it fails: with processes of a task, of which one has a session of its own. */
const shim = `
  import { spawn } from 'node:child_process';
  import { systemClock } from '${modules}/clock.ts';
  import { adoptGroup, killAllGroups } from '${modules}/process-group.ts';
  process.on('exit', killAllGroups);
  const script = 'echo $$; setsid bash -c "echo \\\\$\\\\$; exec sleep 300" & wait';
  const child = spawn('bash', ['-c', script], { detached: true, env: { ...process.env, MARK: 'of-the-task' } });
  adoptGroup(child.pid, 'MARK=of-the-task', systemClock);
  let pids = '';
  child.stdout.on('data', (chunk) => {
    pids += chunk;
    if (pids.trim().split('\\n').length < 2) return;
    process.stdout.write(pids);
    process.exit(0);
  });`;

test('the end of the shim is the end of what it started, also of what has left the group', async () => {
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', shim], { encoding: 'utf8' });
  const pids = output.trim().split('\n').map(Number);
  expect(pids).toHaveLength(2);
  await expect.poll(() => pids.filter(isAlive)).toEqual([]);
});
