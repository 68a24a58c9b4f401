import { Duration } from 'aws-cdk-lib';
import { ComparisonOperator, Metric, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { RouseFunction } from './function.ts';

export interface ObservabilityProps {
  readonly record: RouseFunction;
  /** @default none: the alarm is seen in the console */
  readonly alarmTopicArn?: string;
}

/** The one alarm ($0.10 a month): the recorder is behind, so that events come late and nudges by the sweep alone. */
export class Observability extends Construct {
  constructor(scope: Construct, id: string, props: ObservabilityProps) {
    super(scope, id);
    const age = new Metric({
      namespace: 'AWS/Lambda',
      metricName: 'IteratorAge',
      dimensionsMap: { FunctionName: props.record.lambda.functionName },
      statistic: Stats.MAXIMUM,
      period: Duration.minutes(1),
    });
    const alarm = age.createAlarm(this, 'RecordIsBehind', {
      alarmDescription: 'The oldest record of the state stream waited over a minute, five minutes long',
      threshold: Duration.minutes(1).toMilliseconds(),
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: 5,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    if (props.alarmTopicArn)
      alarm.addAlarmAction(new SnsAction(Topic.fromTopicArn(this, 'Topic', props.alarmTopicArn)));
  }
}
