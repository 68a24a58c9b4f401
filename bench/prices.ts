/**
 * AWS list prices in us-east-1, in dollars, as of late 2026 (AWS Price List API and pricing pages). Free tiers are not
 * taken off: they belong to the account, not to the task.
 */
export const prices = {
  /** HTTP API of API Gateway, each request of up to 512 KB. */
  httpApiRequest: 1.0e-6,
  lambdaRequest: 0.2e-6,
  /** arm64, each GB-second. */
  lambdaGbSecond: 0.0000133334,
  /** On demand, each unit of 1 KB. */
  dynamodbWriteUnit: 0.625e-6,
  /** On demand, each unit of 4 KB read strongly; half a unit if read eventually. */
  dynamodbReadUnit: 0.125e-6,
  /** Each request of up to 64 KB; a batch of ten is one. */
  sqsStandardRequest: 0.4e-6,
  sqsFifoRequest: 0.5e-6,
  /** PUT, POST, COPY and LIST. */
  s3WriteRequest: 5e-6,
  /** GET and HEAD. DELETE is free. */
  s3ReadRequest: 0.4e-6,
  /** A custom event of up to 64 KB. */
  eventBridgeEvent: 1.0e-6,
  schedulerInvocation: 1.0e-6,
  /** Each GB ingested by CloudWatch Logs. */
  logsGb: 0.5,
  /** Fargate, Linux on ARM, on demand: each second from the start of the pull, a minute at least. */
  fargateArmVcpuSecond: 0.03238 / 3600,
  fargateArmGbSecond: 0.00356 / 3600,
  /** A public IPv4 address of a container. */
  publicAddressSecond: 0.005 / 3600,
} as const;
