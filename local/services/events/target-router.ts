import { AwsError } from '../../errors.ts';
import type { Environment } from '../../service.ts';

export interface TargetOptions {
  source: 'events' | 'scheduler';
  /** Of a schedule: it sends with this role, and on behalf of its group. */
  roleArn?: string;
  /** ARN of the rule or the schedule group that sends. */
  sourceArn?: string;
  /** For FIFO queues. */
  groupId?: string;
  /** String attributes of an SQS message. */
  attributes?: Record<string, string>;
}

/** Takes payloads to Lambda functions (asynchronously), SQS queues and whatever else can be a target. Set by the composition. */
export interface TargetRouter {
  /** Resolves when the target has taken the payload. @throws AwsError what the target answered; it is tried again unless it is permanent */
  send(arn: string, payload: string, options: TargetOptions): Promise<void>;
}

export interface Delivery {
  target: string;
  options: TargetOptions;
  /** What faults see. */
  body: unknown;
  /** @param attempt counts from 1 */
  payload(attempt: number): string;
  maxRetries: number;
  maxAgeSeconds: number;
  /** ARN of a standard queue for what could not be delivered. */
  deadLetterArn: string | undefined;
  deadLetterBody(attempt: number): string;
  deadLetterAttributes: Record<string, string>;
}

/** No such target, no permission, or a payload that it will never take: trying again is useless. */
const permanent = new Set([
  'QueueDoesNotExist',
  'ResourceNotFoundException',
  'AccessDenied',
  'AccessDeniedException',
  'InvalidParameterValue',
  'MissingParameter',
  'InvalidMessageContents',
  'NotEmulated',
]);
const maxBackOffMs = 60_000;

/** Delivers at least once, with retries that take ever longer, as often and as late as faults say. */
export function deliver(environment: Environment, router: () => TargetRouter, delivery: Delivery): void {
  const { clock, faults } = environment;
  const { source } = delivery.options;
  const { copies, delayMs } = faults.ofDelivery({ source, target: delivery.target, body: delivery.body });
  for (let copy = 0; copy < copies; copy++) {
    const begin = () => attempt(environment, router, delivery, 1, clock.now());
    if (delayMs > 0) clock.at(clock.now() + delayMs, begin);
    else begin();
  }
}

function attempt(
  environment: Environment,
  router: () => TargetRouter,
  delivery: Delivery,
  number: number,
  sinceMs: number,
): void {
  const { activity, clock, log } = environment;
  const work = async () => {
    try {
      await router().send(delivery.target, delivery.payload(number), delivery.options);
    } catch (error) {
      const hopeless = error instanceof AwsError && permanent.has(error.code);
      const retryAtMs = clock.now() + Math.min(maxBackOffMs, 1000 * 2 ** (number - 1));
      const tooOld = retryAtMs > sinceMs + delivery.maxAgeSeconds * 1000;
      if (!hopeless && !tooOld && number <= delivery.maxRetries) {
        clock.at(retryAtMs, () => attempt(environment, router, delivery, number + 1, sinceMs));
        return;
      }
      log(`${delivery.options.source}: gave up on ${delivery.target} after ${number} attempts: ${error}`);
      await giveUp(environment, router(), delivery, number, error, hopeless ? undefined : tooOld);
    }
  };
  void activity.track(work());
}

async function giveUp(
  environment: Environment,
  router: TargetRouter,
  delivery: Delivery,
  number: number,
  error: unknown,
  tooOld: boolean | undefined,
): Promise<void> {
  if (!delivery.deadLetterArn) return;
  const attributes = {
    ...delivery.deadLetterAttributes,
    TARGET_ARN: delivery.target,
    ERROR_CODE: error instanceof AwsError ? error.code : 'InternalError',
    ERROR_MESSAGE: error instanceof Error ? error.message.slice(0, 256) : String(error),
    ...(tooOld !== undefined && {
      EXHAUSTED_RETRY_CONDITION: tooOld ? 'MaximumEventAgeInSeconds' : 'MaximumRetryAttempts',
    }),
    RETRY_ATTEMPTS: String(number - 1),
  };
  try {
    const { groupId: _groupId, ...options } = delivery.options;
    await router.send(delivery.deadLetterArn, delivery.deadLetterBody(number), { ...options, attributes });
  } catch (lost) {
    environment.log(
      `${delivery.options.source}: dead-letter queue ${delivery.deadLetterArn} did not take it either: ${lost}`,
    );
  }
}

/** Fails each delivery until a router is set. */
export const noRouter: TargetRouter = {
  send: (arn) => Promise.reject(new AwsError('ResourceNotFoundException', `No router takes payloads to ${arn}.`)),
};
