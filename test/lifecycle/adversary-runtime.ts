import { signIdentity } from '../../agent/identity.ts';
import { signToken } from '../../lib/app/token.ts';
import type { SimulatedShim } from '../support/simulated-shim.ts';
import type { TestStack } from '../support/stack.ts';

/** Says to the runtime API whatever a container could say that has been taken over. */
export class Adversary {
  private readonly stack: TestStack;
  private readonly shim: SimulatedShim;

  constructor(stack: TestStack, shim: SimulatedShim) {
    this.stack = stack;
    this.shim = shim;
  }

  get taskRoleArn(): string {
    return Reflect.get(Reflect.get(this.shim, 'identity'), 'task').taskRoleArn;
  }

  /** One call with the runtime's token. */
  async call(
    route: string,
    body: unknown,
    method = 'POST',
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    const { agentId, runtimeId } = this.shim;
    const claims = { tenant: 'default', agentId, runtimeId, expiresMs: this.stack.clock.now() + 60_000 };
    const token = signToken(claims, this.stack.aws.ssm.value('/rouse/token-key') ?? '');
    return this.post(route, body, { authorization: `Bearer ${token}` }, method);
  }

  /** Enrols with credentials of `roleArn`, in a session that is named like the ECS task. */
  async enrol(roleArn: string, nonce = Buffer.alloc(32, 'adversary').toString('base64')) {
    const { agentId, runtimeId, taskArn } = this.shim;
    const credentials = this.stack.aws.roleCredentials(roleArn, taskArn.split('/').at(-1)!);
    const identity = await signIdentity(credentials, {
      region: this.stack.aws.region,
      apiUrl: Reflect.get(this.shim, 'environment').ROUSE_API_URL,
      runtimeId,
      now: this.stack.clock.now(),
    });
    return this.post('enroll', { runtimeId, agentId, tenant: 'default', nonce, identity }, {});
  }

  private async post(route: string, body: unknown, headers: Record<string, string>, method = 'POST') {
    const answer = await this.stack.aws.request({
      method,
      path: `/v1/runtime/${route}`,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body }),
    });
    const text = Buffer.from(answer.body).toString();
    return { status: answer.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  }
}

export const usage = { wallSeconds: 1, vcpuSeconds: 1, memoryGiBSeconds: 1, inputTokens: 0, outputTokens: 0 };
