import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { ListSchedulesCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { GetParametersByPathCommand, SSMClient } from '@aws-sdk/client-ssm';
import { alarmName } from '../../lib/aws/alarms.ts';
import { upcoming } from '../../lib/domain/schedule.ts';
import { localAdministrator } from '../../local/credentials.ts';
import type { Ledger } from './ledger.ts';
import type { World } from './world.ts';

/** What is in AWS outside of the tables and ECS. */
export class Remains {
  private readonly ledger: Ledger;
  private readonly s3: S3Client;
  private readonly scheduler: SchedulerClient;
  private readonly ssm: SSMClient;
  private readonly environment: Record<string, string>;

  constructor({ stack: { aws } }: World, ledger: Ledger) {
    this.ledger = ledger;
    this.environment = aws.lambda.definitions()[0]!.environment;
    const options = { region: aws.region, credentials: localAdministrator, requestHandler: aws.requestHandler() };
    this.s3 = new S3Client({ ...options, forcePathStyle: true });
    this.scheduler = new SchedulerClient(options);
    this.ssm = new SSMClient(options);
  }

  /** How EventBridge Scheduler differs from what the heads of schedules say. */
  async alarms(): Promise<string[]> {
    const wanted = new Set<string>();
    for (const schedule of this.ledger.schedules.heads.values())
      if (upcoming(schedule)) wanted.add(alarmName(schedule.tenant, schedule.id));
    const present = new Set<string>();
    for (let NextToken: string | undefined; ; ) {
      const GroupName = this.environment.ROUSE_SCHEDULE_GROUP;
      const page = await this.scheduler.send(new ListSchedulesCommand({ GroupName, NextToken }));
      for (const { Name = '' } of page.Schedules ?? []) present.add(Name);
      NextToken = page.NextToken;
      if (NextToken === undefined) break;
    }
    return [
      ...[...wanted].filter((name) => !present.has(name)).map((name) => `${name} is missing in EventBridge Scheduler`),
      ...[...present].filter((name) => !wanted.has(name)).map((name) => `${name} is left in EventBridge Scheduler`),
    ];
  }

  /**
   * Objects of what is no more. Those of tasks and runs, and uploads, are kept as history, until the bucket's own rules
   * remove them.
   */
  async objects(): Promise<string[]> {
    const left: string[] = [];
    for (let ContinuationToken: string | undefined; ; ) {
      const Bucket = this.environment.ROUSE_BUCKET;
      const page = await this.s3.send(new ListObjectsV2Command({ Bucket, ContinuationToken }));
      for (const { Key = '' } of page.Contents ?? [])
        if (!/^(tasks|runs|uploads)\//.test(Key)) left.push(`${Key} is in the bucket`);
      ContinuationToken = page.NextContinuationToken;
      if (ContinuationToken === undefined) return left;
    }
  }

  /** Parameters besides the two keys of the deployment. */
  async parameters(): Promise<string[]> {
    const { ROUSE_ADMIN_KEY_PARAMETER, ROUSE_TOKEN_KEY_PARAMETER } = this.environment;
    const { Parameters = [] } = await this.ssm.send(new GetParametersByPathCommand({ Path: '/', Recursive: true }));
    return Parameters.map(({ Name = '' }) => Name)
      .filter((name) => name !== ROUSE_ADMIN_KEY_PARAMETER && name !== ROUSE_TOKEN_KEY_PARAMETER)
      .map((name) => `the parameter ${name} is there`);
  }
}
