import { AwsError } from './errors.ts';
import type { Authority } from './iam/authority.ts';
import { checkScheduleRole } from './iam/service-access.ts';
import type { TargetOptions, TargetRouter } from './services/events/target-router.ts';
import type { LambdaService } from './services/lambda/service.ts';
import type { SqsService } from './services/sqs/service.ts';

/** Takes what rules and schedules send to its targets. After a restart, holds it until the functions and queues are deployed. */
export class TargetDelivery implements TargetRouter {
  private readonly lambda: LambdaService;
  private readonly sqs: SqsService;
  private readonly iam: Authority;
  private readonly opened = Promise.withResolvers<void>();

  constructor(lambda: LambdaService, sqs: SqsService, iam: Authority) {
    this.iam = iam;
    this.lambda = lambda;
    this.sqs = sqs;
  }

  /** From now on what is sent goes through. */
  open(): void {
    this.opened.resolve();
  }

  async send(arn: string, payload: string, options: TargetOptions): Promise<void> {
    await this.opened.promise;
    this.authorize(arn, options);
    const service = arn.split(':')[2];
    if (service === 'lambda') {
      this.lambda.invokeAsync(arn, payload);
    } else if (service === 'sqs') {
      const attributes = Object.entries(options.attributes ?? {}).map(
        ([name, value]) => [name, { DataType: 'String', StringValue: value }] as const,
      );
      this.sqs.sendInternal(arn, payload, { groupId: options.groupId, attributes: Object.fromEntries(attributes) });
    } else {
      throw new AwsError('NotEmulated', `The embedded AWS does not know targets like ${arn}.`, 501);
    }
  }

  /** A schedule sends with its role; a rule by the leave of the function. */
  private authorize(arn: string, { source, roleArn, sourceArn }: TargetOptions): void {
    if (sourceArn === undefined) return;
    if (source === 'scheduler') {
      if (roleArn !== undefined) checkScheduleRole(this.iam, roleArn, sourceArn, arn);
    } else if (arn.split(':')[2] === 'lambda' && !this.iam.mayInvoke('events.amazonaws.com', arn, sourceArn)) {
      throw this.iam.refuse(`No policy of the function ${arn} lets EventBridge invoke it for ${sourceArn}.`);
    }
  }
}
