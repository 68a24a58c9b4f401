import type { Clock } from './clock.ts';
import { AwsError } from './errors.ts';

/** A published rate that AWS enforces by a token bucket for each account and Region. */
export interface Rate {
  name: string;
  service: string;
  operations: readonly string[];
  /** What the bucket holds: so many calls at once. */
  burst: number;
  /** What comes back into it each second. */
  perSecond: number;
  /** Tokens that one call takes; 0 when this rate is not about it. @default 1 */
  tokens?: (input: Record<string, unknown>) => number;
  /** How the service says it, unless as most do: `ThrottlingException` with status 400. */
  error?: { code: string; status: number };
  /** Where AWS publishes it. */
  source: string;
}

const ecsApi = 'https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html';
const fargate = 'https://docs.aws.amazon.com/AmazonECS/latest/developerguide/throttling.html';
const scheduler = 'https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html';
const eventBridge = 'https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html';
const sts = 'https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html';

/** Default rates of an account in us-east-1. */
export const publishedRates: readonly Rate[] = [
  {
    name: 'Fargate RunTask calls',
    service: 'ecs',
    operations: ['RunTask'],
    burst: 20,
    perSecond: 20,
    source: fargate,
  },
  {
    name: 'Fargate On-Demand launches',
    service: 'ecs',
    operations: ['RunTask'],
    burst: 100,
    perSecond: 20,
    tokens: (input) => (isSpot(input) ? 0 : launchesOf(input)),
    source: fargate,
  },
  {
    name: 'Fargate Spot launches',
    service: 'ecs',
    operations: ['RunTask'],
    burst: 100,
    perSecond: 20,
    tokens: (input) => (isSpot(input) ? launchesOf(input) : 0),
    source: fargate,
  },
  {
    name: 'ECS cluster resource modify',
    service: 'ecs',
    operations: ['RunTask', 'StopTask'],
    burst: 100,
    perSecond: 40,
    source: ecsApi,
  },
  {
    name: 'ECS cluster resource read',
    service: 'ecs',
    operations: ['DescribeTasks', 'ListTasks'],
    burst: 100,
    perSecond: 20,
    source: ecsApi,
  },
  {
    name: 'ECS task definition modify',
    service: 'ecs',
    operations: ['RegisterTaskDefinition', 'DeregisterTaskDefinition'],
    burst: 20,
    perSecond: 1,
    source: ecsApi,
  },
  {
    name: 'ECS task definition read',
    service: 'ecs',
    operations: ['DescribeTaskDefinition'],
    burst: 50,
    perSecond: 20,
    source: ecsApi,
  },
  {
    name: 'ECS tag modify',
    service: 'ecs',
    operations: ['TagResource', 'UntagResource'],
    burst: 20,
    perSecond: 10,
    source: ecsApi,
  },
  {
    name: 'Scheduler CreateSchedule',
    service: 'scheduler',
    operations: ['CreateSchedule'],
    burst: 5000,
    perSecond: 5000,
    error: { code: 'ThrottlingException', status: 429 },
    source: scheduler,
  },
  {
    name: 'Scheduler GetSchedule',
    service: 'scheduler',
    operations: ['GetSchedule'],
    burst: 1000,
    perSecond: 1000,
    error: { code: 'ThrottlingException', status: 429 },
    source: scheduler,
  },
  {
    name: 'Scheduler UpdateSchedule',
    service: 'scheduler',
    operations: ['UpdateSchedule'],
    burst: 1000,
    perSecond: 1000,
    error: { code: 'ThrottlingException', status: 429 },
    source: scheduler,
  },
  {
    name: 'Scheduler DeleteSchedule',
    service: 'scheduler',
    operations: ['DeleteSchedule'],
    burst: 1000,
    perSecond: 1000,
    error: { code: 'ThrottlingException', status: 429 },
    source: scheduler,
  },
  {
    name: 'EventBridge PutEvents',
    service: 'events',
    operations: ['PutEvents'],
    burst: 10_000,
    perSecond: 10_000,
    source: eventBridge,
  },
  {
    name: 'STS',
    service: 'sts',
    operations: ['AssumeRole', 'GetCallerIdentity'],
    burst: 600,
    perSecond: 600,
    error: { code: 'Throttling', status: 400 },
    source: sts,
  },
];

/** Refuses calls that come faster than AWS takes them. */
export class Rates {
  private readonly buckets: readonly Bucket[];

  constructor(clock: Clock, rates: readonly Rate[]) {
    this.buckets = rates.map((rate) => new Bucket(clock, rate));
  }

  /** @throws AwsError as AWS throttles a call; then it takes no tokens */
  check(service: string, operation: string, input: Record<string, unknown>): void {
    const taken: [Bucket, number][] = [];
    for (const bucket of this.buckets) {
      const tokens = bucket.tokensFor(service, operation, input);
      if (tokens === 0) continue;
      if (!bucket.has(tokens)) throw bucket.error();
      taken.push([bucket, tokens]);
    }
    for (const [bucket, tokens] of taken) bucket.take(tokens);
  }
}

class Bucket {
  private readonly clock: Clock;
  private readonly rate: Rate;
  private tokens: number;
  private filledMs: number;

  constructor(clock: Clock, rate: Rate) {
    this.clock = clock;
    this.rate = rate;
    this.tokens = rate.burst;
    this.filledMs = clock.now();
  }

  tokensFor(service: string, operation: string, input: Record<string, unknown>): number {
    const { rate } = this;
    if (rate.service !== service || !rate.operations.includes(operation)) return 0;
    return rate.tokens?.(input) ?? 1;
  }

  has(tokens: number): boolean {
    const nowMs = this.clock.now();
    // A clock that was set back gives nothing and takes nothing.
    const passedMs = Math.max(0, nowMs - this.filledMs);
    this.filledMs = nowMs;
    this.tokens = Math.min(this.rate.burst, this.tokens + (passedMs / 1000) * this.rate.perSecond);
    // Twenty times a twentieth is a whole.
    return this.tokens + 1e-9 >= tokens;
  }

  error(): AwsError {
    const { code, status } = this.rate.error ?? { code: 'ThrottlingException', status: 400 };
    return new AwsError(code, 'Rate exceeded', status);
  }

  take(tokens: number): void {
    this.tokens -= tokens;
  }
}

function launchesOf(input: Record<string, unknown>): number {
  return Number(input.count ?? 1);
}

function isSpot(input: Record<string, unknown>): boolean {
  const strategy = (input.capacityProviderStrategy ?? []) as { capacityProvider?: string }[];
  return strategy.some(({ capacityProvider }) => capacityProvider === 'FARGATE_SPOT');
}
