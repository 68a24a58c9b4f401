import type { Environment, WireRequest, WireResponse } from '../../service.ts';
import type { StoredTask } from './task.ts';
import type { TaskDefinition } from './task-definitions.ts';

/** Of a task role's credentials, as on AWS. */
const credentialsSeconds = 6 * 3600;
/** Credentials with less than this left are not handed out any more. */
const renewalMs = 3_600_000;

export const endpointPrefix = '/_aws/ecs/';

export interface EndpointPorts {
  environment: Environment;
  /** The task with this secret token, if it has not stopped. */
  task(token: string): { task: StoredTask; definition: TaskDefinition } | undefined;
}

/** The containers' link-local endpoints: credentials of the task role, and metadata version 4. */
export class TaskEndpoints {
  private readonly ports: EndpointPorts;
  private readonly issued = new Map<string, { text: string; expiresAtMs: number }>();

  constructor(ports: EndpointPorts) {
    this.ports = ports;
  }

  handle(request: WireRequest): WireResponse {
    const [kind = '', token = '', ...rest] = request.path.slice(endpointPrefix.length).split('/');
    const found = this.ports.task(token);
    if (!found) return json(404, { message: 'There is no running task with this token.' });
    if (kind === 'credentials' && rest.length === 0) return this.credentials(token, found.task, found.definition);
    if (kind === 'metadata' && rest.join('/') === 'task') return json(200, taskMetadata(found.task, found.definition));
    if (kind === 'metadata' && rest.length === 0) return json(200, containerMetadata(found.task, 0));
    return json(404, { message: `The embedded AWS does not serve ${request.path}.` });
  }

  forget(token: string): void {
    this.issued.delete(token);
  }

  private credentials(token: string, task: StoredTask, definition: TaskDefinition): WireResponse {
    const { clock, credentials } = this.ports.environment;
    const roleArn = task.overrides.taskRoleArn ?? definition.taskRoleArn;
    if (!roleArn) return json(404, { message: 'The task has no role.' });
    let found = this.issued.get(token);
    if (!found || found.expiresAtMs < clock.now() + renewalMs) {
      const fresh = credentials.issue(roleArn, task.id, credentialsSeconds);
      const text = JSON.stringify({
        RoleArn: roleArn,
        AccessKeyId: fresh.accessKeyId,
        SecretAccessKey: fresh.secretAccessKey,
        Token: fresh.sessionToken,
        Expiration: new Date(fresh.expiresAtMs).toISOString(),
      });
      found = { text, expiresAtMs: fresh.expiresAtMs };
      this.issued.set(token, found);
    }
    return { status: 200, headers: { 'content-type': 'application/json' }, body: found.text };
  }
}

function taskMetadata(task: StoredTask, definition: TaskDefinition) {
  const iso = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString());
  return {
    Cluster: task.clusterArn,
    TaskARN: task.taskArn,
    Family: definition.family,
    Revision: String(definition.revision),
    DesiredStatus: task.desiredStatus,
    KnownStatus: task.lastStatus,
    Limits: { CPU: Number(task.cpu) / 1024, Memory: Number(task.memory) },
    PullStartedAt: iso(task.pullStartedAt),
    PullStoppedAt: iso(task.pullStoppedAt),
    AvailabilityZone: task.availabilityZone,
    LaunchType: task.launchType,
    Containers: task.containers.map((_container, index) => containerMetadata(task, index)),
  };
}

function containerMetadata(task: StoredTask, index: number) {
  const container = task.containers[index]!;
  return {
    DockerId: container.runtimeId,
    Name: container.name,
    Image: container.image,
    Labels: {
      'com.amazonaws.ecs.cluster': task.clusterArn,
      'com.amazonaws.ecs.container-name': container.name,
      'com.amazonaws.ecs.task-arn': task.taskArn,
    },
    DesiredStatus: task.desiredStatus,
    KnownStatus: container.lastStatus,
    Type: 'NORMAL',
    ContainerARN: container.containerArn,
  };
}

function json(status: number, value: unknown): WireResponse {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}
