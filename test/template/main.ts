/**
 * `npm run lint:template`: synthesizes the default template and each documented variation of it with CDK's own
 * validation, and checks them by cfn-lint for regions of every partition. Errors and warnings fail.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { esbuildBundles } from '../../cdk/bundles.ts';
import { RouseStack } from '../../cdk/rouse-stack.ts';
import { readSettings } from '../../cdk/settings.ts';
import { pythonWith } from '../support/virtual-environment.ts';
import { regions, variations } from './variations.ts';

/** Rules that are not checked, each with its reason. */
const ignored: Readonly<Record<string, string>> = {
  W3005: 'the CDK makes what depends on a role’s policy depend on the role, too, which is superfluous and harmless',
};

/** By default what the CDK's own validation finds is a warning. */
const failOnFindings = { '@aws-cdk/core:validateAgainstDefaultRules': true };

const repository = join(import.meta.dirname, '..', '..');

/** @returns the templates, by the name of their variation */
function synthesizeAll(folder: string): Map<string, string> {
  const bundles = esbuildBundles(repository, join(folder, 'bundles'));
  const templates = new Map<string, string>();
  for (const [name, context] of Object.entries(variations)) {
    const outdir = join(folder, `assembly-${templates.size}`);
    const app = new App({ outdir, analyticsReporting: false, treeMetadata: false, context: failOnFindings });
    const { stackName, ...props } = readSettings((key) => context[key]);
    new RouseStack(app, stackName, { ...props, bundles });
    app.synth();
    templates.set(name, join(outdir, `${stackName}.template.json`));
  }
  return templates;
}

function main(): void {
  const folder = mkdtempSync(join(tmpdir(), 'rouse-templates-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const python = pythonWith({
    program: 'cfn-lint',
    file: join(import.meta.dirname, 'requirements.txt'),
    home: join(repository, '.rouse', 'cfn-lint'),
    print: console.log,
  });
  const templates = synthesizeAll(folder);
  const options = ['--regions', ...regions, '--ignore-checks', ...Object.keys(ignored)];
  const { status, error } = spawnSync(join(dirname(python), 'cfn-lint'), [...options, '--', ...templates.values()], {
    stdio: 'inherit',
  });
  if (error) throw error;
  for (const [rule, reason] of Object.entries(ignored)) console.log(`not checked: ${rule}, ${reason}`);
  if (status !== 0) {
    const names = [...templates].map(([name, path]) => `  ${path}: ${name}`);
    throw new Error(`cfn-lint found problems (exit code ${status}) in these templates:\n${names.join('\n')}`);
  }
  console.log(`${templates.size} templates pass CDK's validation and cfn-lint for ${regions.join(', ')}.`);
}

try {
  main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
