import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ClaimedTask, Instructions, RuntimeConfig, WorkspacePointer } from '../../../agent/protocol.ts';
import { BucketServer } from './bucket-server.ts';

type Body = Record<string, unknown>;
export interface Call {
  route: string;
  body: Body;
  authorization: string | undefined;
  idempotencyKey: unknown;
}
type Answer = { status: number; body: unknown };

export const agentId = 'agt_01ARZ3NDEKTSV4RRFFQ69G5FAV';
export const runtimeId = 'rt_01BX5ZZKBKACTAV9WQ69G5FAVX';
const readPrefix = `agents/default/${agentId}/`;

/** The outside of a shim at the wire level: the runtime API, one bell, one bucket, container credentials. */
export class Cloud {
  readonly calls: Call[] = [];
  readonly bucket = new BucketServer();
  readonly queue: ClaimedTask[] = [];
  config: RuntimeConfig = {
    driver: { type: 'command', command: ['cat'] },
    env: {},
    user: null,
    concurrency: 1,
    idleTimeoutSeconds: 60,
    maxLifetimeSeconds: 3600,
    stopTimeoutSeconds: 30,
    cancelGraceSeconds: 5,
    heartbeatSeconds: 60,
    workspace: { enabled: true, save: 'task', minSaveIntervalSeconds: 0 },
  };
  workspace: WorkspacePointer | null = null;
  maxInlineBytes = 65_536;
  lifeSeconds = 3600;
  /** Orders that the next answer with instructions brings. */
  orders: Partial<Instructions> = {};
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #overrides = new Map<string, (body: Body) => Answer | null>();
  readonly #watchers = new Set<() => void>();
  #rings = 0;

  static async start(): Promise<Cloud> {
    const cloud = new Cloud();
    await new Promise<void>((resolve) => cloud.#server.listen(0, '127.0.0.1', resolve));
    return cloud;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  env(workspace: string): Record<string, string> {
    return {
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '/tmp',
      ROUSE_API_URL: this.url,
      ROUSE_TENANT: 'default',
      ROUSE_AGENT_ID: agentId,
      ROUSE_RUNTIME_ID: runtimeId,
      ROUSE_WORKSPACE: workspace,
      AWS_REGION: 'eu-central-1',
      AWS_ENDPOINT_URL: this.url,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${this.url}/container-credentials`,
      ECS_CONTAINER_METADATA_URI_V4: `${this.url}/metadata`,
    };
  }

  submit(id: string, fields: Partial<ClaimedTask> = {}): void {
    this.queue.push({
      id,
      fence: 1,
      place: '1700000000000',
      input: '',
      output: { type: 'text' },
      timeoutSeconds: 60,
      leaseSeconds: 60,
      metadata: {},
      ...fields,
    });
  }

  ring(): void {
    this.#rings++;
    this.#changed();
  }

  /** Answers a route itself, as long as `answer` does not give null. */
  override(route: string, answer: (body: Body) => Answer | null): void {
    this.#overrides.set(route, answer);
  }

  count(route: string): number {
    return this.calls.filter((call) => call.route === route).length;
  }

  /** The first call of a route that fits, now or when it comes. */
  async called(route: string, fits: (body: Body) => boolean = () => true): Promise<Body> {
    for (;;) {
      const call = this.calls.find((one) => one.route === route && fits(one.body));
      if (call) return call.body;
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
    }
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher();
    this.#watchers.clear();
  }

  instructions(slots: number): Instructions {
    const orders = this.orders;
    this.orders = {};
    return {
      tasks: this.queue.splice(0, slots),
      cancel: [],
      stop: null,
      nextDueAt: null,
      activeUntil: null,
      ...orders,
    };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const raw = Buffer.concat(chunks);
    const path = request.url ?? '/';
    if (path.startsWith('/bucket/')) return this.bucket.serve(request, raw, response);
    const answer = await this.#answer(path, request, raw);
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer.body));
  }

  async #answer(path: string, request: IncomingMessage, raw: Buffer): Promise<Answer> {
    const body: Body = raw.length > 0 ? JSON.parse(raw.toString('utf8')) : {};
    const target = request.headers['x-amz-target'];
    if (typeof target === 'string') return await this.#sqs(target.split('.')[1] ?? '');
    if (path === '/container-credentials') {
      return {
        status: 200,
        body: { AccessKeyId: 'TASKROLE', SecretAccessKey: 'task-role-secret', Token: 'task-role-token' },
      };
    }
    if (path === '/metadata/task') return { status: 200, body: { Limits: { CPU: 0.5, Memory: 1024 } } };
    const route = path.replace('/v1/runtime/', '');
    const { authorization, 'idempotency-key': idempotencyKey } = request.headers;
    this.calls.push({ route, body, authorization, idempotencyKey });
    const answer = this.#overrides.get(route)?.(body) ?? this.#api(route, body);
    this.#changed();
    return answer;
  }

  async #sqs(operation: string): Promise<Answer> {
    if (operation !== 'ReceiveMessage') return { status: 200, body: { Successful: [], Failed: [] } };
    // Also for who has hung up: SQS gives the next message to a poll that was given up.
    while (this.#rings === 0) await new Promise<void>((resolve) => this.#watchers.add(resolve));
    this.#rings = 0;
    return { status: 200, body: { Messages: [{ MessageId: 'ring', ReceiptHandle: 'ring', Body: 'look' }] } };
  }

  #expiry(): string {
    return new Date(Date.now() + this.lifeSeconds * 1000).toISOString();
  }

  #credentials() {
    return {
      token: `token-${this.calls.length}`,
      tokenExpiresAt: this.#expiry(),
      credentials: {
        accessKeyId: 'BROKERED',
        secretAccessKey: 'brokered-secret',
        sessionToken: 'brokered-token',
        expiration: this.#expiry(),
      },
    };
  }

  #api(route: string, body: Body): Answer {
    const slots = Number(body.slots ?? 0);
    const [noun, , verb] = route.split('/');
    if (route === 'enroll') return { status: 200, body: this.#enrolment() };
    if (route === 'credentials') return { status: 200, body: this.#credentials() };
    if (route === 'claim') return { status: 200, body: this.instructions(slots) };
    if (route === 'workspace') return { status: 200, body: { generation: body.generation } };
    if (route === 'workspace/damaged') return { status: 200, body: { workspace: null } };
    if (route === 'activity') {
      return { status: 200, body: { until: new Date(Date.now() + Number(body.seconds) * 1000).toISOString() } };
    }
    if (route === 'stop') return { status: 200, body: { stop: true, instructions: this.instructions(0) } };
    if (noun === 'outputs')
      return { status: 200, body: { key: 'tasks/output', url: `${this.url}/bucket/tasks/output` } };
    if (verb === 'heartbeat') return { status: 200, body: { cancel: false, leaseUntil: this.#expiry() } };
    if (verb === 'events') return { status: 200, body: { accepted: (body.lines as unknown[]).length } };
    return { status: 200, body: { status: 'ok', instructions: this.instructions(slots) } };
  }

  /** What a runtime that no agent has yet gets for its enrolment. */
  standby() {
    return {
      ...this.#credentials(),
      standby: true,
      runtime: { id: runtimeId },
      bell: { queueUrl: `${this.url}/000000000000/bell` },
    };
  }

  #enrolment() {
    return {
      ...this.#credentials(),
      tenant: 'default',
      agent: { id: agentId, name: 'tester' },
      runtime: { id: runtimeId, startedAt: new Date().toISOString() },
      config: this.config,
      bell: { queueUrl: `${this.url}/000000000000/bell` },
      storage: { bucket: 'bucket', readPrefix, writePrefix: `${readPrefix}runtimes/${runtimeId}/` },
      workspace: this.workspace,
      maxInlineBytes: this.maxInlineBytes,
    };
  }
}

export function problem(status: number, code: string): Answer {
  return { status, body: { type: 'about:blank', title: code, status, code, detail: `It is ${code}.` } };
}
