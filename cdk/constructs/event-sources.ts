import { Rule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { CfnEventSourceMapping } from 'aws-cdk-lib/aws-lambda';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { RouseFunction } from './function.ts';
import type { Functions } from './functions.ts';
import type { Messaging } from './messaging.ts';
import type { State } from './state.ts';

export interface EventSourcesProps {
  readonly functions: Functions;
  readonly state: State;
  readonly messaging: Messaging;
  readonly clusterArn: string;
}

/**
 * What wakes the functions that no HTTP request and no schedule does: queues, the stream, ECS's events.
 *
 * The mappings are plain resources, because the CDK's own event sources grant more than is needed (read and write of
 * the whole bucket, for a place to put failed records).
 */
export class EventSources extends Construct {
  constructor(scope: Construct, id: string, props: EventSourcesProps) {
    super(scope, id);
    const { functions, messaging, state } = props;

    this.queue('Work', messaging.work, functions.get('dispatch'));
    this.queue('Launches', messaging.launches, functions.get('launch'));
    this.queue('Timers', messaging.timers, functions.get('timers'));
    this.queue('Triggers', messaging.triggers, functions.get('trigger'));
    this.stream(state, functions.get('record'));

    // A shortcut, never a need: without these events the sweep finds the same out later.
    new Rule(this, 'TaskStateChange', {
      eventPattern: {
        source: ['aws.ecs'],
        detailType: ['ECS Task State Change'],
        // What matters is the end: a container that stops by itself, is stopped, or is about to be (Spot).
        detail: {
          clusterArn: [props.clusterArn],
          desiredStatus: ['STOPPED'],
          lastStatus: ['RUNNING', 'DEPROVISIONING', 'STOPPED'],
        },
      },
      targets: [new LambdaFunction(functions.get('task-events').lambda)],
    });
  }

  private queue(id: string, queue: Queue, { lambda, role }: RouseFunction): void {
    new CfnEventSourceMapping(this, id, {
      functionName: lambda.functionName,
      eventSourceArn: queue.queueArn,
      batchSize: 10,
      functionResponseTypes: ['ReportBatchItemFailures'],
    });
    role.addToPolicy(
      new PolicyStatement({
        // As AWSLambdaSQSQueueExecutionRole has them.
        actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'],
        resources: [queue.queueArn],
      }),
    );
  }

  private stream({ stateTable, bucket }: State, { lambda, role }: RouseFunction): void {
    const streamArn = stateTable.tableStreamArn;
    if (streamArn === undefined) throw new Error('The state table has no stream, but the record function reads it.');
    new CfnEventSourceMapping(this, 'Stream', {
      functionName: lambda.functionName,
      eventSourceArn: streamArn,
      startingPosition: 'TRIM_HORIZON',
      batchSize: 100,
      parallelizationFactor: 10,
      bisectBatchOnFunctionError: true,
      maximumRetryAttempts: 10,
      functionResponseTypes: ['ReportBatchItemFailures'],
      destinationConfig: { onFailure: { destination: bucket.bucketArn } },
      // Heads and live rows carry the events; a function that is not invoked for the other rows is not paid for them.
      filterCriteria: {
        filters: [
          {
            pattern: JSON.stringify({
              eventName: ['INSERT', 'MODIFY'],
              dynamodb: { Keys: { sk: { S: ['head', { prefix: 'live#' }] } } },
            }),
          },
        ],
      },
    });
    role.addToPolicy(
      new PolicyStatement({
        actions: ['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator'],
        resources: [streamArn],
      }),
    );
    // Lambda wants it for a stream, and it has no resource to narrow it to (Service Authorization Reference, DynamoDB).
    role.addToPolicy(new PolicyStatement({ actions: ['dynamodb:ListStreams'], resources: ['*'] }));
  }
}
