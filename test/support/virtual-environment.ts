import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const oldestPython = [3, 10];

export interface Requirements {
  /** Program that needs them, for messages. */
  program: string;
  /** A requirements file with hashes. */
  file: string;
  /** Folder that gets the virtual environment. */
  home: string;
  /** Tells what goes on, one line a step. */
  print(line: string): void;
}

/**
 * The Python of a virtual environment that holds what a requirements file says, by hash; made when it is not there yet.
 * @throws Error with a sentence that says what to do
 */
export function pythonWith({ program, file, home, print }: Requirements): string {
  const version = pythonVersion(program);
  const hash = createHash('sha256').update(readFileSync(file)).update(version).digest('hex').slice(0, 12);
  const folder = join(home, `python-${hash}`);
  const python = join(folder, 'bin', 'python');
  const complete = join(folder, 'complete');
  if (existsSync(complete)) return python;
  print(`Installing ${program} for Python ${version} …`);
  rmSync(folder, { recursive: true, force: true });
  run('python3', ['-m', 'venv', folder], 'On Debian and Ubuntu: apt-get install python3-venv');
  run(
    python,
    ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--require-hashes', '-r', file],
    'It needs a Python package index, as pip finds it.',
  );
  writeFileSync(complete, '');
  return python;
}

function pythonVersion(program: string): string {
  const { stdout, error } = spawnSync('python3', ['--version'], { encoding: 'utf8' });
  const version = /^Python (\d+)\.(\d+)\S*/.exec(stdout ?? '');
  const wanted = `${program} needs Python ${oldestPython.join('.')} or newer with venv and pip`;
  if (error || !version) throw new Error(`${wanted}, but there is no python3 on the PATH. Install it and try again.`);
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major < oldestPython[0]! || (major === oldestPython[0] && minor < oldestPython[1]!))
    throw new Error(`${wanted}, but python3 is ${version[0]}. Install a newer one and try again.`);
  return version[0].slice('Python '.length);
}

function run(command: string, args: string[], advice: string): void {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return;
  const output = error?.message ?? `${stdout}${stderr}`.trim().slice(-2000);
  throw new Error(`${command} ${args.slice(0, 3).join(' ')} … failed. ${advice}\n${output}`);
}
