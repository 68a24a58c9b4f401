import type { Deployment } from '../deploy/deployer.ts';
import { EmbeddedAws } from '../embedded-aws.ts';
import { DataFolder } from './data-folder.ts';
import type { LocalStack } from './local-file.ts';
import { repository } from './repository.ts';
import { Steps } from './steps.ts';
import { keepInUse, synthesize } from './synth.ts';

export interface StartOptions {
  /** Of the API; 0 takes any free one. @default that of the last start on this data folder, or 4600 */
  port?: number;
  /** State survives in it. @default a temporary folder, removed in the end */
  dataDir?: string;
  /** Tells what goes on, one line a step. @default silence */
  print?: (line: string) => void;
  /** What goes wrong inside, one line each. @default silence */
  log?: (line: string) => void;
}

export interface StartedStack extends LocalStack {
  aws: EmbeddedAws;
  /** Ends everything: servers, functions, agents' processes and their children. */
  stop(): Promise<void>;
}

export const defaultPort = 4600;

/**
 * Starts a whole local stack: synthesizes the CDK app (or takes it from the cache), deploys it to an embedded AWS,
 * and serves its API. @throws Error with a sentence that helps
 */
export async function startStack(options: StartOptions = {}): Promise<StartedStack> {
  const steps = new Steps(options.print ?? (() => {}));
  const folder = DataFolder.open(options.dataDir);
  let aws: EmbeddedAws | undefined;
  const stop = async () => {
    await aws?.close();
    folder.close();
  };
  try {
    const { folder: assembly } = await steps.run(
      'Synthesizing the CDK app',
      () => synthesize(repository),
      ({ cached }) => (cached ? 'from the cache' : 'fresh'),
    );
    keepInUse(assembly);
    const dataDir = folder.path;
    const created = await EmbeddedAws.create({ dataDir, log: options.log });
    aws = created;
    const { apiUrl, awsEndpointUrl } = await serve(created, folder, options.port);
    const deployment = await steps.run(
      'Deploying it to the embedded AWS',
      () => created.deploy(assembly),
      ({ resources }) => `${resources.size} resources`,
    );
    const apiKey = await steps.run('Making the first API key', () => firstApiKey(created, deployment));
    return { apiUrl, apiKey, awsEndpointUrl, pid: process.pid, aws: created, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function serve(aws: EmbeddedAws, folder: DataFolder, port: number | undefined) {
  const earlier = folder.ports();
  const wanted = port || earlier?.api || (port ?? defaultPort);
  const endpoint = await aws.listen(earlier?.aws ?? 0).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    // Agents' processes that outlived the last start can't find this one: they are replaced when they give up.
    return aws.listen(0);
  });
  const api = await aws.listenApi(wanted).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE')
      throw new Error(
        `Port ${wanted} is taken by another program. Choose another one, e.g. PORT=${wanted + 1} npm start, or PORT=0 for any free port.`,
      );
    if (error.code === 'EACCES')
      throw new Error(`Port ${wanted} needs more rights than this user has: choose one above 1023 by PORT.`);
    throw error;
  });
  folder.savePorts({ aws: endpoint.port, api: api.port });
  return { apiUrl: api.url, awsEndpointUrl: endpoint.url };
}

/** The first sweep after a deploy makes the key; here it need not wait for its minute. */
async function firstApiKey(aws: EmbeddedAws, deployment: Deployment): Promise<string> {
  for (const { type, properties } of deployment.resources.values()) {
    const target = properties.Target as { Arn?: string; Input?: string } | undefined;
    if (type !== 'AWS::Scheduler::Schedule' || !target?.Arn?.includes(':lambda:')) continue;
    const result = await aws.lambda.invoke(target.Arn, target.Input ?? '{}');
    if (result.functionError) throw new Error(`The first sweep failed: ${result.payload}`);
  }
  const parameter = deployment.outputs.AdminKeyParameter;
  const key = parameter === undefined ? undefined : aws.ssm.value(parameter);
  if (key === undefined) throw new Error(`The first sweep made no API key: there is no SSM parameter ${parameter}.`);
  return key;
}
