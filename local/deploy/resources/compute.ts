import { AwsError } from '../../errors.ts';
import { checkFunctionRole, checkMappingRole } from '../../iam/service-access.ts';
import type { ResourceRequest, ResourceType } from '../resource.ts';
import { callJson } from '../target.ts';

const lambdaFunction: ResourceType = {
  reads: [
    ...['FunctionName', 'Code', 'Handler', 'Role', 'Environment', 'Timeout', 'MemorySize', 'Runtime', 'PackageType'],
    ...['ReservedConcurrentExecutions', 'LoggingConfig'],
  ],
  ignores: [
    'Architectures',
    'Description',
    'Tags',
    'TracingConfig',
    'RecursiveLoop',
    'EphemeralStorage',
    'RuntimeManagementConfig',
  ],
  async deploy(request) {
    const { target, properties } = request;
    const name = request.text('FunctionName') ?? request.generatedName(64);
    const arn = request.arn('lambda', `function:${name}`);
    const runtime = request.text('Runtime') ?? '';
    if (!runtime.startsWith('nodejs'))
      throw new Error(`Only Node.js functions run locally, received Runtime ${runtime}.`);
    const logging = properties.LoggingConfig as { LogGroup?: string } | undefined;
    const environment = properties.Environment as { Variables?: Record<string, unknown> } | undefined;
    const variables = Object.entries(environment?.Variables ?? {}).map(([key, value]) => [key, String(value)]);
    const logGroup = logging?.LogGroup ?? `/aws/lambda/${name}`;
    checkFunctionRole(target.iam, request.required('Role'), request.arn('logs', `log-group:${logGroup}`));
    await target.lambda.define({
      logicalId: request.logicalId,
      name,
      arn,
      roleArn: request.required('Role'),
      codeFolder: codeFolder(request),
      handler: request.required('Handler'),
      environment: Object.fromEntries(variables),
      timeoutSeconds: Number(properties.Timeout ?? 3),
      memoryMiB: Number(properties.MemorySize ?? 128),
      reservedConcurrency: optionalNumber(properties.ReservedConcurrentExecutions),
      logGroup,
    });
    return { physicalId: name, attributes: { Arn: arn } };
  },
  async remove(resource, target) {
    await target.lambda.remove(resource.attributes.Arn!);
  },
};

function codeFolder({ assembly, properties }: ResourceRequest): string {
  const code = properties.Code as { S3Key?: string; ZipFile?: string };
  if (code.S3Key === undefined) throw new Error('only code from a file asset runs locally.');
  const folder = assembly.fileAssets.get(code.S3Key);
  if (!folder) throw new Error(`the cloud assembly has no file asset ${code.S3Key}.`);
  return folder;
}

function optionalNumber(value: unknown): number | undefined {
  return value === undefined ? undefined : Number(value);
}

function optionalBoolean(value: unknown): boolean | undefined {
  return value === undefined ? undefined : String(value) === 'true';
}

const eventSourceMapping: ResourceType = {
  reads: [
    ...['EventSourceArn', 'FunctionName', 'Enabled', 'BatchSize', 'MaximumBatchingWindowInSeconds', 'FilterCriteria'],
    ...['FunctionResponseTypes', 'ScalingConfig', 'StartingPosition', 'ParallelizationFactor', 'DestinationConfig'],
    ...['BisectBatchOnFunctionError', 'MaximumRetryAttempts', 'MaximumRecordAgeInSeconds'],
  ],
  ignores: ['Tags', 'MetricsConfig'],
  deploy(request) {
    const { target, properties } = request;
    const digest = request.digest('mapping', 32);
    const id = [
      [0, 8],
      [8, 12],
      [12, 16],
      [16, 20],
      [20, 32],
    ]
      .map(([from, to]) => digest.slice(from, to))
      .join('-');
    const name = request.required('FunctionName');
    const filters = properties.FilterCriteria as { Filters?: { Pattern: string }[] } | undefined;
    const scaling = properties.ScalingConfig as { MaximumConcurrency?: unknown } | undefined;
    const destination = properties.DestinationConfig as { OnFailure?: { Destination?: string } } | undefined;
    const eventSourceArn = request.required('EventSourceArn');
    const functionArn = name.startsWith('arn:') ? name : request.arn('lambda', `function:${name}`);
    const onFailureDestinationArn = destination?.OnFailure?.Destination;
    const roleArn = target.lambda.definitions().find(({ arn }) => arn === functionArn)?.roleArn;
    if (roleArn !== undefined) checkMappingRole(target.iam, roleArn, { id, eventSourceArn, onFailureDestinationArn });
    target.mappings.define({
      id,
      eventSourceArn,
      functionArn,
      enabled: optionalBoolean(properties.Enabled),
      batchSize: optionalNumber(properties.BatchSize),
      maximumBatchingWindowInSeconds: optionalNumber(properties.MaximumBatchingWindowInSeconds),
      functionResponseTypes: properties.FunctionResponseTypes as string[] | undefined,
      maximumConcurrency: optionalNumber(scaling?.MaximumConcurrency),
      filterPatterns: filters?.Filters?.map(({ Pattern }) => Pattern),
      startingPosition: request.text('StartingPosition'),
      parallelizationFactor: optionalNumber(properties.ParallelizationFactor),
      bisectBatchOnFunctionError: optionalBoolean(properties.BisectBatchOnFunctionError),
      maximumRetryAttempts: optionalNumber(properties.MaximumRetryAttempts),
      maximumRecordAgeInSeconds: optionalNumber(properties.MaximumRecordAgeInSeconds),
      onFailureDestinationArn,
    });
    const arn = request.arn('lambda', `event-source-mapping:${id}`);
    return { physicalId: id, attributes: { Id: id, EventSourceMappingArn: arn } };
  },
  remove(resource, target) {
    target.mappings.remove(resource.physicalId);
  },
};

const eventInvokeConfig: ResourceType = {
  reads: ['FunctionName', 'Qualifier', 'MaximumRetryAttempts'],
  ignores: ['MaximumEventAgeInSeconds'],
  async deploy(request) {
    const { target, properties } = request;
    const name = request.required('FunctionName');
    const definition = target.lambda.definitions().find((one) => one.name === name || one.arn === name);
    if (!definition) throw new AwsError('ResourceNotFoundException', `Function not found: ${name}`, 404);
    await target.lambda.define({
      ...definition,
      maximumRetryAttempts: optionalNumber(properties.MaximumRetryAttempts),
    });
    return { physicalId: request.generatedName(64), attributes: {} };
  },
};

const cluster: ResourceType = {
  reads: ['ClusterName', 'CapacityProviders'],
  ignores: ['ClusterSettings', 'DefaultCapacityProviderStrategy', 'Configuration', 'Tags'],
  async deploy(request) {
    const { target, properties } = request;
    const name = request.text('ClusterName') ?? request.generatedName(255);
    const providers = (properties.CapacityProviders as string[] | undefined) ?? [];
    await callJson(target, target.ecs, 'CreateCluster', { clusterName: name, capacityProviders: providers });
    return { physicalId: name, attributes: { Arn: request.arn('ecs', `cluster/${name}`) } };
  },
};

export const computeTypes: Record<string, ResourceType> = {
  'AWS::Lambda::Function': lambdaFunction,
  'AWS::Lambda::EventSourceMapping': eventSourceMapping,
  'AWS::Lambda::EventInvokeConfig': eventInvokeConfig,
  'AWS::ECS::Cluster': cluster,
};
