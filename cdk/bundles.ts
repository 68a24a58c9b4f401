import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Code } from 'aws-cdk-lib/aws-lambda';
import { type BuildOptions, buildSync } from 'esbuild';
import { type FunctionName, functionNames } from './constructs/functions.ts';

/** Where the code of functions and container comes from. */
export interface Bundles {
  /** Code with an `index` module that exports `handler`. */
  functionCode(name: FunctionName): Code;
  /** A folder with `Dockerfile` and `shim.mjs`. */
  agentFolder(): string;
}

/**
 * Identifiers are kept, so that a stack trace in a log can be read; zipped, that is a fifth more. The AWS SDK is
 * bundled: the runtime's own copy is another version and slower to load. Its CommonJS parts call `require`, which an
 * ES module does not have.
 */
const options = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  mainFields: ['module', 'main'],
  outExtension: { '.js': '.mjs' },
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  charset: 'utf8',
  logLevel: 'error',
  banner: {
    js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
  },
} satisfies BuildOptions;

/**
 * Bundles with esbuild, all functions in one pass (a process a function would take several times as long).
 *
 * @param root the folder with `lambdas/` and `agent/`
 * @param folder where the bundles go; the CDK copies them into its own output
 */
export function esbuildBundles(
  root = fileURLToPath(new URL('..', import.meta.url)),
  folder = temporaryFolder(),
): Bundles {
  let functionsBuilt = false;
  return {
    functionCode(name) {
      if (!functionsBuilt) {
        const entries = functionNames.map((entry) => [`${entry}/index`, join(root, 'lambdas', `${entry}.ts`)]);
        buildSync({ ...options, absWorkingDir: root, outdir: folder, entryPoints: Object.fromEntries(entries) });
        functionsBuilt = true;
      }
      return Code.fromAsset(join(folder, name));
    },
    agentFolder() {
      const outdir = join(folder, 'agent');
      buildSync({ ...options, absWorkingDir: root, outdir, entryPoints: { shim: join(root, 'agent', 'shim.ts') } });
      copyFileSync(join(root, 'agent', 'Dockerfile'), join(outdir, 'Dockerfile'));
      return outdir;
    },
  };
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rouse-bundles-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
