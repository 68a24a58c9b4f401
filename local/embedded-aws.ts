import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Activity } from './activity.ts';
import { type Clock, ManualClock, RealClock } from './clock.ts';
import { CredentialRegistry } from './credentials.ts';
import { type CloudAssembly, readAssembly } from './deploy/assembly.ts';
import { type Deployment, deployAssembly } from './deploy/deployer.ts';
import type { StoredResource } from './deploy/resource.ts';
import type { DeployTarget } from './deploy/target.ts';
import { Faults } from './faults.ts';
import { Authority } from './iam/authority.ts';
import { checkTaskRoles } from './iam/service-access.ts';
import { publishedRates, type Rate, Rates } from './rates.ts';
import type { Environment, WireRequest, WireResponse } from './service.ts';
import { DynamoDbService } from './services/dynamodb/service.ts';
import type { ThroughputLimits } from './services/dynamodb/throughput.ts';
import {
  type ContainerRun,
  type ContainerRunner,
  type RunningContainer,
  SimulatedRunner,
  type TaskRun,
} from './services/ecs/container-runner.ts';
import { DockerRunner } from './services/ecs/docker-runner.ts';
import { endpointPrefix } from './services/ecs/endpoints.ts';
import type { TaskDelays } from './services/ecs/lifecycle.ts';
import { LocalRunner } from './services/ecs/local-runner.ts';
import { ProcessRunner } from './services/ecs/process-runner.ts';
import { EcsService } from './services/ecs/service.ts';
import { compilePattern } from './services/events/pattern.ts';
import { EventsService } from './services/events/service.ts';
import { type ApiRequest, HttpApiService } from './services/http-api/service.ts';
import { BundleRunner } from './services/lambda/bundle-runner.ts';
import { failureDestination, queuePort, streamPort } from './services/lambda/event-source/adapters.ts';
import { EventSourceMappings } from './services/lambda/event-source/mappings.ts';
import type { FunctionDefinition, FunctionRunner } from './services/lambda/function.ts';
import { type InProcessHandler, InProcessRunner } from './services/lambda/in-process-runner.ts';
import { LambdaService } from './services/lambda/service.ts';
import { LogsService } from './services/logs.ts';
import { S3Service } from './services/s3/service.ts';
import { SchedulerService } from './services/scheduler/service.ts';
import { SecretsManagerService } from './services/secrets-manager.ts';
import { SqsService } from './services/sqs/service.ts';
import { SsmService } from './services/ssm.ts';
import { StsService } from './services/sts.ts';
import { MemoryStore, SqliteStore, type Store, type StoredMap } from './store.ts';
import { TargetDelivery } from './target-delivery.ts';
import { type HttpAnswer, inProcessHandler, listen } from './transport.ts';
import { type ObservedCall, Wire } from './wire.ts';

export interface EmbeddedAwsOptions {
  /** @default us-east-1 */
  region?: string;
  /** @default 000000000000 */
  accountId?: string;
  /** @default wall-clock time */
  clock?: Clock;
  /** State and files survive in it. @default nothing survives */
  dataDir?: string;
  /** What goes wrong inside: one line each. @default dropped */
  log?: (line: string) => void;
  /**
   * Handlers that run in this process, asked for once per function when it is first invoked.
   * @default each function's bundle runs in threads of its own
   */
  functions?: (definition: FunctionDefinition) => InProcessHandler | undefined;
  /** Simulated containers. @default processes, or Docker for images other than the built-in one */
  containers?: (task: TaskRun, container: ContainerRun) => RunningContainer;
  /** Time that ECS takes to provision and pull. @default none */
  taskDelays?: Partial<TaskDelays>;
  /** How long a table's stream is kept. A long simulation has too much of it. @default 24 hours, as in AWS */
  streamRetentionMs?: number;
  /** What DynamoDB's tables take in a second. @default as much as comes */
  tableThroughput?: ThroughputLimits;
  /** Rates over which calls are throttled. @default what AWS publishes */
  rates?: readonly Rate[];
  /** Origin of the HTTP API, for the template. @default http://api.localhost, until {@link EmbeddedAws.listenApi} */
  apiOrigin?: string;
}

const lambdaCredentialsSeconds = 12 * 3600;

/** A small AWS in one process: its services, its clock, its faults, and what a template has deployed to it. */
export class EmbeddedAws {
  readonly environment: Environment;
  readonly dynamodb: DynamoDbService;
  readonly sqs: SqsService;
  readonly s3: S3Service;
  readonly sts: StsService;
  readonly ssm: SsmService;
  readonly secretsManager: SecretsManagerService;
  readonly logs: LogsService;
  readonly events: EventsService;
  readonly scheduler: SchedulerService;
  readonly lambda: LambdaService;
  readonly mappings: EventSourceMappings;
  readonly httpApi: HttpApiService;
  readonly ecs: EcsService;
  /** Who may do what, by the deployed roles and policies, and which of their grants were needed so far. */
  readonly iam: Authority;
  /** Set by {@link deploy}. */
  deployment: Deployment | undefined;
  private readonly options: EmbeddedAwsOptions;
  private readonly wire: Wire;
  private readonly delivery: TargetDelivery;
  private readonly stacks = new Map<string, StoredMap<StoredResource>>();
  /** Customers' KMS keys, by the ARN of what they encrypt. */
  private readonly keys = new Map<string, string>();
  private readonly closing: (() => Promise<void> | void)[] = [];
  private assembly: CloudAssembly | undefined;
  private endpointUrl: string | undefined;
  private apiOrigin: string;

  static async create(options: EmbeddedAwsOptions = {}): Promise<EmbeddedAws> {
    const store = options.dataDir === undefined ? new MemoryStore() : await SqliteStore.open(options.dataDir);
    return new EmbeddedAws(options, store);
  }

  private constructor(options: EmbeddedAwsOptions, store: Store) {
    this.options = options;
    this.apiOrigin = options.apiOrigin ?? 'http://api.localhost';
    const { region = 'us-east-1', accountId = '000000000000', clock = new RealClock(), log = () => {} } = options;
    const environment: Environment = {
      region,
      accountId,
      clock,
      store,
      faults: new Faults(),
      credentials: new CredentialRegistry(store, clock, accountId),
      activity: new Activity(),
      endpoint: () => this.endpointUrl,
      log,
    };
    this.environment = environment;
    this.dynamodb = new DynamoDbService(environment, {
      streamRetentionMs: options.streamRetentionMs,
      throughput: options.tableThroughput,
    });
    this.sqs = new SqsService(environment);
    this.s3 = new S3Service(environment);
    this.sts = new StsService(environment);
    this.iam = new Authority({
      region,
      accountId,
      keyArn: (arn) => this.keyArn(arn),
      taskDefinition: (name) => this.ecs.definitions.lookUp(name),
    });
    this.sts.roles = this.iam;
    this.ssm = new SsmService(environment);
    this.secretsManager = new SecretsManagerService(environment);
    this.logs = new LogsService(environment);
    this.lambda = new LambdaService(environment, (definition) => this.functionRunner(definition));
    this.delivery = new TargetDelivery(this.lambda, this.sqs, this.iam);
    // Only what was kept can fire before its functions are there again.
    if (options.dataDir === undefined) this.delivery.open();
    this.events = new EventsService(environment);
    this.events.router = this.delivery;
    this.scheduler = new SchedulerService(environment);
    this.scheduler.router = this.delivery;
    this.mappings = new EventSourceMappings(environment, {
      queue: queuePort(this.sqs),
      stream: streamPort(this.dynamodb),
      invoke: (arn, event) => this.lambda.invokeWhenFree(arn, event),
      destination: failureDestination(environment, this.s3, this.sqs),
      compile: compilePattern,
    });
    this.httpApi = new HttpApiService(environment, this.lambda, (functionArn, sourceArn) =>
      this.iam.mayInvoke('apigateway.amazonaws.com', functionArn, sourceArn),
    );
    this.ecs = new EcsService(environment, {
      runner: this.containerRunner(),
      readSecret: (valueFrom) => this.readSecret(valueFrom),
      checkRoles: (task) => checkTaskRoles(this.iam, task),
      publish: (event) => void this.events.publish(event),
      delays: options.taskDelays,
    });
    this.wire = new Wire(environment, this.iam, new Rates(clock, options.rates ?? publishedRates));
    const { dynamodb, sqs, s3, sts, ssm, secretsManager, logs, events, scheduler, lambda, ecs } = this;
    for (const service of [dynamodb, sqs, s3, sts, ssm, secretsManager, logs, events, scheduler, lambda, ecs])
      this.wire.register(service);
  }

  get clock(): Clock {
    return this.environment.clock;
  }

  get faults(): Faults {
    return this.environment.faults;
  }

  get region(): string {
    return this.environment.region;
  }

  /** Answers one call of an AWS service, or of a container's own endpoints. */
  handle = async (request: WireRequest): Promise<WireResponse> =>
    request.path.startsWith(endpointPrefix) ? this.ecs.handleEndpoint(request) : this.wire.handle(request);

  /** For SDK clients in this process. `around` sees each exchange, so that a test can crash the caller before or after it. */
  requestHandler(around?: (exchange: () => Promise<WireResponse>, request: WireRequest) => Promise<WireResponse>) {
    return inProcessHandler(this.handle, around);
  }

  /** Credentials of a new session of a role, e.g. for the clients of an in-process handler. */
  roleCredentials(roleArn: string, sessionName: string) {
    const { accessKeyId, secretAccessKey, sessionToken, expiresAtMs } = this.environment.credentials.issue(
      roleArn,
      sessionName,
      lambdaCredentialsSeconds,
    );
    return { accessKeyId, secretAccessKey, sessionToken, expiration: new Date(expiresAtMs) };
  }

  /** Serves the AWS endpoint on the loopback. Call it before {@link deploy}: queue URLs contain its port. */
  async listen(port: number): Promise<{ url: string; port: number }> {
    const server = await listen(this.handle, port);
    this.endpointUrl = `http://127.0.0.1:${server.port}`;
    this.closing.push(() => server.close());
    return { url: this.endpointUrl, port: server.port };
  }

  /** Serves the HTTP API that is, or will be, deployed. Call it before {@link deploy}: the template asks for its origin. */
  async listenApi(port: number): Promise<{ url: string; port: number }> {
    const server = await this.httpApi.listen(() => this.httpApi.ids()[0], port);
    this.apiOrigin = `http://127.0.0.1:${server.port}`;
    this.closing.push(() => server.close());
    return { url: this.apiOrigin, port: server.port };
  }

  /** Deploys a cloud assembly (the folder that `cdk synth` writes), then lets events, messages and schedules flow. */
  async deploy(assembly: string | CloudAssembly): Promise<Deployment> {
    this.assembly = typeof assembly === 'string' ? readAssembly(assembly) : assembly;
    const { environment, lambda, mappings, httpApi, ecs, dynamodb, sqs, events, logs, s3, scheduler, iam } = this;
    const target: DeployTarget = {
      ...{ environment, lambda, mappings, httpApi, ecs, dynamodb, sqs, events, logs, s3, scheduler, iam },
      apiOrigin: () => this.apiOrigin,
      stored: (stackName) => this.storedStack(stackName),
      encrypt: (arn, keyArn) => {
        if (keyArn === undefined) this.keys.delete(arn);
        else this.keys.set(arn, keyArn);
      },
    };
    const isFirst = this.deployment === undefined;
    this.deployment = await deployAssembly(this.assembly, target);
    if (isFirst) {
      this.ecs.resume();
      this.lambda.resume();
      this.delivery.open();
      this.scheduler.start();
    }
    this.mappings.startAll();
    return this.deployment;
  }

  /** Calls the deployed HTTP API in this process. */
  request(request: ApiRequest): Promise<HttpAnswer> {
    const [apiId] = this.httpApi.ids();
    if (!apiId) throw new Error('No HTTP API is deployed.');
    return this.httpApi.request(apiId, request);
  }

  /** Calls `observer` after each AWS call; the returned function ends that. */
  observe(observer: (call: ObservedCall) => void): () => void {
    return this.wire.observe(observer);
  }

  /** Resolves when nothing is under way: no call, no delivery, no invocation. */
  settled(): Promise<void> {
    return this.environment.activity.settled();
  }

  /** Moves a manual clock, timer by timer; after each, everything that follows from it comes to rest. */
  async advance(durationMs: number): Promise<void> {
    const { clock } = this;
    if (!(clock instanceof ManualClock)) throw new Error('Only a ManualClock can be moved.');
    const untilMs = clock.now() + durationMs;
    await this.settled();
    while (clock.step(untilMs)) await this.settled();
  }

  async close(): Promise<void> {
    this.mappings.close();
    await this.ecs.close();
    await this.lambda.close();
    for (const close of this.closing.toReversed()) await close();
    if (this.clock instanceof RealClock) this.clock.close();
    this.environment.store.close();
  }

  private keyArn(resourceArn: string): string | undefined {
    const service = resourceArn.split(':')[2];
    if (service === 'ssm') return this.ssm.keyArn(resourceArn);
    if (service === 'secretsmanager') return this.secretsManager.keyArn(resourceArn);
    return this.keys.get(resourceArn);
  }

  /** A store gives each map once. */
  private storedStack(stackName: string): StoredMap<StoredResource> {
    const stored = this.stacks.get(stackName) ?? this.environment.store.map<StoredResource>(`stack:${stackName}`);
    this.stacks.set(stackName, stored);
    return stored;
  }

  private functionRunner(definition: FunctionDefinition): FunctionRunner {
    const handler = this.options.functions?.(definition);
    if (handler) return new InProcessRunner(definition, handler, this.clock);
    return new BundleRunner(definition, {
      region: this.region,
      endpoint: () => this.endpointUrl,
      now: () => this.clock.now(),
      credentials: () =>
        this.environment.credentials.issue(definition.roleArn, definition.name, lambdaCredentialsSeconds),
      output: (stream, lines) => this.logs.append(definition.logGroup, stream, lines),
    });
  }

  private containerRunner(): ContainerRunner {
    if (this.options.containers) return new SimulatedRunner(this.options.containers);
    const { folder: dataFolder } = this.environment.store;
    const folder = dataFolder === undefined ? mkdtempSync(join(tmpdir(), 'rouse-tasks-')) : join(dataFolder, 'tasks');
    if (dataFolder === undefined) this.closing.push(() => rmSync(folder, { recursive: true, force: true }));
    const imageFolder = (image: string) => this.assembly?.imageAssets.get(image.slice(image.lastIndexOf(':') + 1));
    const output = (container: ContainerRun, taskId: string, lines: string[]) => {
      const options = container.definition.logConfiguration?.options ?? {};
      const group = options['awslogs-group'];
      if (group)
        this.logs.append(group, `${options['awslogs-stream-prefix'] ?? 'ecs'}/${container.name}/${taskId}`, lines);
    };
    const processes = new ProcessRunner({ store: this.environment.store, folder, imageFolder, output });
    return new LocalRunner(processes, new DockerRunner({ imageFolder, output }));
  }

  /** `valueFrom` of a container's secret: a Secrets Manager ARN (with JSON key), or an SSM parameter's ARN or name. */
  private async readSecret(valueFrom: string): Promise<string> {
    const parts = valueFrom.split(':');
    if (parts[2] !== 'secretsmanager') {
      const name = valueFrom.startsWith('arn:')
        ? `/${parts
            .slice(5)
            .join(':')
            .replace(/^parameter\/?/, '')}`
        : valueFrom;
      const value = this.ssm.value(name) ?? this.ssm.value(name.slice(1));
      if (value === undefined) throw new Error(`ParameterNotFound: there is no parameter ${name}.`);
      return value;
    }
    const secretId = parts.slice(0, 7).join(':');
    const text = this.secretsManager.value(secretId);
    if (text === undefined) throw new Error(`ResourceNotFoundException: there is no secret ${secretId}.`);
    const jsonKey = parts[7];
    if (!jsonKey) return text;
    const value = (JSON.parse(text) as Record<string, unknown>)[jsonKey];
    if (value === undefined)
      throw new Error(`retrieved secret from Secrets Manager did not contain json key ${jsonKey}`);
    return String(value);
  }
}
