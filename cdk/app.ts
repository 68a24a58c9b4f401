/**
 * Context in, stack out. The context keys (`-c key=value`, or `context` in cdk.json) are documented where they are
 * read, in `settings.ts`.
 *
 * Synthesis needs no account, no Docker and no network: nothing is looked up, and the functions are bundled by esbuild.
 */
import { App } from 'aws-cdk-lib';
import { RouseStack } from './rouse-stack.ts';
import { readSettings } from './settings.ts';

const app = new App({ analyticsReporting: false, treeMetadata: false });
const { stackName, ...props } = readSettings((key) => app.node.tryGetContext(key));
new RouseStack(app, stackName, props);
app.synth();
