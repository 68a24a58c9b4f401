import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { GetParameterCommand } from '@aws-sdk/client-ssm';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { esbuildBundles } from '../../cdk/bundles.ts';
import type { Clients } from './clients.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** The first sweep makes the first admin key, a minute after the deploy. */
const keyLimitMs = 180_000;

/** The name by which local servers' task definitions know the built-in image: nobody pulls it. */
export const standInImage = 'rouse-agent:stand-in';

export interface Deployment {
  outputs: Record<string, string>;
  accountId: string;
  apiKey: string;
}

export interface DeployOptions {
  stackName: string;
  region: string;
  clients: Clients;
  /** Whether containers of the built-in image are started by the stand-in, as local processes. */
  usesStandIn: boolean;
  print(line: string): void;
}

/** A stack put there by the CDK CLI, as anybody would do it. */
export class CdkStack {
  private readonly options: DeployOptions;
  readonly folder: string;

  constructor(options: DeployOptions) {
    this.options = options;
    this.folder = join(root, '.rouse', 'deployed', options.stackName);
    mkdirSync(this.folder, { recursive: true });
  }

  /** Folder of the built-in image, for a server that starts no container of it. */
  imageFolder(): string {
    return esbuildBundles(root, join(this.folder, 'bundles')).agentFolder();
  }

  async deploy(): Promise<Deployment> {
    const { clients, region, stackName } = this.options;
    const { Account: accountId } = await clients.sts.send(new GetCallerIdentityCommand({}));
    if (!accountId) throw new Error('STS tells no account.');
    await this.cdk(['bootstrap', `aws://${accountId}/${region}`]);
    const outputsFile = join(this.folder, 'outputs.json');
    await this.cdk(['deploy', ...this.context(), '--require-approval', 'never', '--outputs-file', outputsFile]);
    const outputs = JSON.parse(readFileSync(outputsFile, 'utf8'))[stackName] as Record<string, string>;
    return { outputs, accountId, apiKey: await this.firstKey(outputs.AdminKeyParameter!) };
  }

  async destroy(): Promise<void> {
    await this.cdk(['destroy', ...this.context(), '--force']);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private context(): string[] {
    const { stackName, usesStandIn } = this.options;
    const context = [`stackName=${stackName}`, 'removalPolicy=destroy'];
    // An image that is built here needs a Docker engine.
    if (usesStandIn) context.push(`agentImage=${standInImage}`);
    return context.flatMap((pair) => ['-c', pair]);
  }

  private async firstKey(name: string): Promise<string> {
    const limitMs = Date.now() + keyLimitMs;
    for (;;) {
      try {
        const { Parameter } = await this.options.clients.ssm.send(
          new GetParameterCommand({ Name: name, WithDecryption: true }),
        );
        return Parameter!.Value!;
      } catch (error) {
        if ((error as Error).name !== 'ParameterNotFound') throw error;
        if (Date.now() > limitMs)
          throw new Error(`The first sweep made no key within ${keyLimitMs / 1000} s: there is no parameter ${name}.`);
      }
      await sleep(1000);
    }
  }

  private cdk(args: string[]): Promise<void> {
    const { print, region } = this.options;
    const [command] = args;
    const startedMs = Date.now();
    const child = spawn(
      join(root, 'node_modules', '.bin', 'cdk'),
      [...args, '--output', join(this.folder, 'cdk.out'), '--ci', '--no-notices'],
      {
        cwd: root,
        env: { ...process.env, AWS_REGION: region, AWS_DEFAULT_REGION: region },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-20_000);
      });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => {
        const seconds = ((Date.now() - startedMs) / 1000).toFixed(0);
        if (code !== 0) return reject(new Error(`cdk ${args.join(' ')} ended with ${code}:\n${output.trim()}`));
        print(`cdk ${command}: done in ${seconds} s`);
        resolve();
      });
    });
  }
}
