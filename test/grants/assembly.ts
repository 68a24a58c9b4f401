import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { Code } from 'aws-cdk-lib/aws-lambda';
import type { Bundles } from '../../cdk/bundles.ts';
import { RouseStack } from '../../cdk/rouse-stack.ts';
import { readSettings } from '../../cdk/settings.ts';
import { type CloudAssembly, readAssembly } from '../../local/deploy/assembly.ts';

const placeholder = join(import.meta.dirname, '../cdk/placeholder-agent');
/**
 * A deployment with a key of its own has all that the default has, and what its functions do with the key. The functions
 * run in this process, so it needs no bundles, and what is read of it is all.
 */
export function synthesizeWithKey(): CloudAssembly {
  const folder = mkdtempSync(join(tmpdir(), 'rouse-assembly-'));
  const bundles: Bundles = {
    functionCode: () => Code.fromAsset(placeholder),
    agentFolder: () => placeholder,
  };
  const app = new App({
    outdir: folder,
    analyticsReporting: false,
    treeMetadata: false,
    builtinCloudFormationValidation: false,
  });
  const { stackName, ...props } = readSettings((key) => (key === 'kmsKeyArn' ? kmsKeyArn : undefined));
  new RouseStack(app, stackName, { ...props, bundles });
  app.synth();
  const assembly = readAssembly(folder);
  rmSync(folder, { recursive: true });
  return assembly;
}

const kmsKeyArn = 'arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab';
