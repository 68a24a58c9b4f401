import type { ResourceType } from '../resource.ts';

/** Resources that only have to exist by name: nothing local watches alarms. */
function passive(ignores: readonly string[]): ResourceType {
  return {
    reads: [],
    ignores,
    deploy: (request) => {
      const physicalId = request.generatedName(128);
      return { physicalId, attributes: { Id: physicalId } };
    },
  };
}

const alarm: ResourceType = {
  reads: ['AlarmName'],
  ignores: [
    ...['ActionsEnabled', 'AlarmActions', 'AlarmDescription', 'ComparisonOperator', 'DatapointsToAlarm', 'Dimensions'],
    ...['EvaluationPeriods', 'ExtendedStatistic', 'InsufficientDataActions', 'MetricName', 'Metrics', 'Namespace'],
    ...['OKActions', 'Period', 'Statistic', 'Tags', 'Threshold', 'TreatMissingData', 'Unit'],
  ],
  deploy(request) {
    const name = request.text('AlarmName') ?? request.generatedName(128);
    return { physicalId: name, attributes: { Arn: request.arn('cloudwatch', `alarm:${name}`) } };
  },
};

export const passiveTypes: Record<string, ResourceType> = {
  'AWS::CloudWatch::Alarm': alarm,
  'AWS::CloudWatch::Dashboard': passive(['DashboardBody', 'DashboardName']),
  'AWS::CDK::Metadata': passive(['Analytics']),
};
