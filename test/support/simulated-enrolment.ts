import { SQSClient } from '@aws-sdk/client-sqs';
import { signIdentity } from '../../agent/identity.ts';
import type { CredentialsAnswer, EnrollAnswer, StandbyAnswer } from '../../lib/http/schemas/runtime.ts';
import type { TaskRun } from '../../local/services/ecs/container-runner.ts';
import type { InProcessStack } from './in-process-stack.ts';
import type { ShimApi } from './shim-api.ts';

/** Three quarters of what token and credentials live. */
export const renewEveryMs = 2_700_000;

/** How a simulated shim proves who it is, and what it gets for it. */
export class SimulatedEnrolment {
  private readonly stack: InProcessStack;
  private readonly api: ShimApi;
  private readonly task: TaskRun;
  private readonly environment: Record<string, string>;
  private credentials: EnrollAnswer['credentials'] | undefined;

  constructor(stack: InProcessStack, api: ShimApi, task: TaskRun, environment: Record<string, string>) {
    this.stack = stack;
    this.api = api;
    this.task = task;
    this.environment = environment;
  }

  /** Enrols, or does it again with the same nonce. */
  async enrol(): Promise<EnrollAnswer | StandbyAnswer> {
    const { ROUSE_API_URL: apiUrl = '', ROUSE_AGENT_ID: agentId, ROUSE_TENANT: tenant } = this.environment;
    const { region, clock } = { region: this.stack.aws.region, clock: this.stack.clock };
    const taskId = this.task.taskArn.split('/').at(-1)!;
    const credentials = this.stack.aws.roleCredentials(this.task.taskRoleArn ?? '', taskId);
    const runtimeId = this.environment.ROUSE_RUNTIME_ID ?? '';
    const identity = await signIdentity(credentials, { region, apiUrl, runtimeId, now: clock.now() });
    const whose = agentId === undefined ? {} : { agentId };
    const answer = await this.api.post<EnrollAnswer | StandbyAnswer>('enroll', {
      runtimeId,
      ...whose,
      tenant,
      nonce: this.nonce,
      identity,
    });
    this.use(answer);
    return answer;
  }

  async renew(): Promise<CredentialsAnswer> {
    const renewed = await this.api.post<CredentialsAnswer>('credentials', { nonce: this.nonce });
    this.use(renewed);
    return renewed;
  }

  /** A client of the bell, with the credentials of the moment. */
  bell(): SQSClient {
    return new SQSClient({
      region: this.stack.aws.region,
      credentials: async () => {
        const { expiration, ...own } = this.credentials!;
        return { ...own, expiration: new Date(expiration) };
      },
      requestHandler: this.stack.aws.requestHandler(),
      maxAttempts: 1,
    });
  }

  private use({ token, credentials }: Pick<EnrollAnswer, 'token' | 'credentials'>): void {
    this.api.token = token;
    this.credentials = credentials;
  }

  private get nonce(): string {
    return Buffer.alloc(32, this.environment.ROUSE_RUNTIME_ID).toString('base64');
  }
}
