import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { App, Stack } from 'aws-cdk-lib';
import { Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { esbuildBundles } from '../../cdk/bundles.ts';
import { functionNames } from '../../cdk/constructs/functions.ts';

describe('esbuildBundles', () => {
  let root: string;

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'rouse-sources-'));
    for (const folder of ['lambdas', 'agent']) mkdirSync(join(root, folder));
    symlinkSync(join(import.meta.dirname, '..', '..', 'node_modules'), join(root, 'node_modules'));
    for (const name of functionNames) {
      writeFileSync(join(root, 'lambdas', `${name}.ts`), `export const handler = (): string => '${name}';\n`);
    }
    writeFileSync(join(root, 'agent', 'shim.ts'), 'const port: number = 1;\nconsole.log(port);\n');
    writeFileSync(join(root, 'agent', 'Dockerfile'), 'FROM scratch\n');
  });

  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it('makes of each function an asset with its own handler', async () => {
    writeFileSync(
      join(root, 'lambdas', 'sweep.ts'),
      // A CommonJS package, and a call of `require` as in parts of the AWS SDK.
      "import ajv from 'ajv';\nexport const handler = () => typeof ajv + typeof require('node:os').EOL;\n",
    );
    const outdir = join(root, 'assembly');
    const bundles = esbuildBundles(root, join(root, 'bundles'));
    const stack = new Stack(new App({ outdir, analyticsReporting: false }), 'Stack');
    for (const name of ['api', 'sweep'] as const) {
      new LambdaFunction(stack, name, {
        runtime: Runtime.NODEJS_24_X,
        handler: 'index.handler',
        code: bundles.functionCode(name),
      });
    }
    const assets = readdirSync(outdir).filter((entry) => entry.startsWith('asset.'));
    const modules = await Promise.all(
      assets.map(
        (asset) => import(pathToFileURL(join(outdir, asset, 'index.mjs')).href) as Promise<{ handler(): string }>,
      ),
    );
    expect(modules.map(({ handler }) => handler()).sort()).toEqual(['api', 'functionstring']);
  });

  it('puts the shim next to its Dockerfile', () => {
    expect(readdirSync(esbuildBundles(root, join(root, 'bundles')).agentFolder()).sort()).toEqual([
      'Dockerfile',
      'shim.mjs',
    ]);
  });
});
