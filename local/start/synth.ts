import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';

/** What a synthesized template depends on, relative to the repository. */
const inputs = ['cdk', 'lambdas', 'lib', 'agent', 'package-lock.json', 'cdk.json', 'cdk.context.json', 'tsconfig.json'];
const keptAssemblies = 3;
/** One that was used so lately may be in use: functions are loaded from it when they are first invoked. */
const usedLatelyMs = 3_600_000;

export interface Synthesis {
  /** The cloud assembly. */
  folder: string;
  cached: boolean;
}

/** Synthesizes the CDK app into `.rouse/synth/<hash of its inputs>`, or finds what an earlier start left there. */
export async function synthesize(root: string): Promise<Synthesis> {
  const context = readContext(root);
  const cache = join(root, '.rouse', 'synth');
  const folder = join(cache, inputHash(root, context));
  if (existsSync(join(folder, 'manifest.json'))) {
    const now = new Date();
    utimesSync(folder, now, now);
    return { folder, cached: true };
  }
  mkdirSync(cache, { recursive: true });
  const unfinished = `${folder}.${process.pid}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  try {
    await runApp(root, unfinished, context);
    rmSync(folder, { recursive: true, force: true });
    renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  removeOld(cache);
  return { folder, cached: false };
}

/** Keeps an assembly from being removed while this process runs. */
export function keepInUse(folder: string): void {
  const touch = () => {
    const now = new Date();
    utimesSync(folder, now, now);
  };
  setInterval(touch, usedLatelyMs / 4).unref();
}

/** The context that the CDK CLI would give the app, as JSON. */
function readContext(root: string): string {
  const own = readJson(join(root, 'cdk.json')).context ?? {};
  const looked = readJson(join(root, 'cdk.context.json'));
  const given = JSON.parse(process.env.CDK_CONTEXT_JSON ?? '{}');
  return JSON.stringify({ ...own, ...looked, ...given });
}

function readJson(path: string): Record<string, object> {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
}

function inputHash(root: string, context: string): string {
  const hash = createHash('sha256').update(context).update(process.versions.node);
  const add = (path: string) => {
    const absolute = join(root, path);
    const stats = statSync(absolute, { throwIfNoEntry: false });
    if (stats?.isDirectory()) for (const name of readdirSync(absolute).sort()) add(join(path, name));
    else if (stats) hash.update(`\0${path}\0${stats.size}\0`).update(readFileSync(absolute));
  };
  for (const input of inputs) add(input);
  return hash.digest('hex').slice(0, 20);
}

function runApp(root: string, folder: string, context: string): Promise<void> {
  // No account and no region: the template must be the same wherever it is made.
  const { CDK_DEFAULT_ACCOUNT: _account, CDK_DEFAULT_REGION: _region, ...variables } = process.env;
  const child = spawn(process.execPath, [join('cdk', 'app.ts')], {
    cwd: root,
    // `cdk synth` and `cdk deploy` validate the template; here that would double the time.
    env: { ...variables, CDK_OUTDIR: folder, CDK_CONTEXT_JSON: context, CDK_VALIDATION: 'false' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const collect = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-20_000);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`The CDK app failed (node cdk/app.ts ended with ${code}):\n${output.trim()}`));
    });
  });
}

function removeOld(cache: string): void {
  const folders = readdirSync(cache)
    .filter((name) => !name.includes('.'))
    .map((name) => ({ path: join(cache, name), usedMs: statSync(join(cache, name)).mtimeMs }))
    .sort((one, two) => two.usedMs - one.usedMs);
  for (const { path, usedMs } of folders.slice(keptAssemblies)) {
    if (Date.now() - usedMs > usedLatelyMs) rmSync(path, { recursive: true, force: true });
  }
}
