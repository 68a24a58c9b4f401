import { Duration, Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnSchedule, CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler';
import { Construct } from 'constructs';
import type { RouseFunction } from './function.ts';
import type { Messaging } from './messaging.ts';

export interface SchedulesProps {
  readonly sweep: RouseFunction;
  readonly messaging: Messaging;
}

/** The one-minute sweep, and the group and role for the schedules that users make at run time. */
export class Schedules extends Construct {
  readonly userGroup: CfnScheduleGroup;
  readonly userRole: Role;

  constructor(scope: Construct, id: string, props: SchedulesProps) {
    super(scope, id);
    const systemGroup = new CfnScheduleGroup(this, 'SystemGroup');
    this.userGroup = new CfnScheduleGroup(this, 'UserGroup');
    const sweepRole = this.roleOf('SweepRole', systemGroup);
    this.userRole = this.roleOf('UserRole', this.userGroup);

    const sweep = new CfnSchedule(this, 'Sweep', {
      description: 'Nudges whatever is overdue',
      groupName: systemGroup.ref,
      scheduleExpression: 'rate(1 minute)',
      flexibleTimeWindow: { mode: 'OFF' },
      target: {
        arn: props.sweep.lambda.functionArn,
        roleArn: sweepRole.roleArn,
        input: '{}',
        // The next one comes in a minute: a late sweep is worth nothing, so none is retried, queued or buried.
        retryPolicy: { maximumEventAgeInSeconds: 60, maximumRetryAttempts: 0 },
      },
    });
    props.sweep.lambda.configureAsyncInvoke({ maxEventAge: Duration.minutes(1), retryAttempts: 0 });

    sweepRole.addToPolicy(
      new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [props.sweep.lambda.functionArn] }),
    );
    this.userRole.addToPolicy(
      new PolicyStatement({
        actions: ['sqs:SendMessage'],
        // Dead letters too: Scheduler sends there, as the same role, what it could not deliver.
        resources: [props.messaging.triggers.queueArn, props.messaging.deadLetters.queueArn],
      }),
    );
    // Scheduler checks on creation that it may use the role.
    sweep.node.addDependency(sweepRole);
  }

  /** A role that Scheduler takes on only for schedules of one group. */
  private roleOf(id: string, group: CfnScheduleGroup): Role {
    return new Role(this, id, {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com').withConditions({
        StringEquals: { 'aws:SourceAccount': Stack.of(this).account },
        ArnEquals: { 'aws:SourceArn': group.attrArn },
      }),
    });
  }
}
