import { randomUUID } from 'node:crypto';
import { AwsError, notEmulated, refuseUnknownParameters } from '../errors.ts';
import type { Environment, JsonService } from '../service.ts';
import type { StoredMap } from '../store.ts';

type Input = Record<string, unknown>;

interface SecretVersion {
  id: string;
  createdMs: number;
  string?: string;
  /** Base64. */
  binary?: string;
}

interface StoredSecret {
  name: string;
  arn: string;
  description?: string;
  /** Of the customer's KMS key that it is encrypted with. */
  keyArn?: string;
  createdMs: number;
  changedMs: number;
  /** When a deletion with a recovery window takes effect. */
  deletedMs?: number;
  /** The current version is last, the one before it is first. */
  versions: SecretVersion[];
}

const operations: Record<string, readonly string[]> = {
  CreateSecret: ['Name', 'ClientRequestToken', 'Description', 'KmsKeyId', 'SecretString', 'SecretBinary', 'Tags'],
  GetSecretValue: ['SecretId', 'VersionId', 'VersionStage'],
  PutSecretValue: ['SecretId', 'ClientRequestToken', 'SecretString', 'SecretBinary'],
  DescribeSecret: ['SecretId'],
  DeleteSecret: ['SecretId', 'RecoveryWindowInDays', 'ForceDeleteWithoutRecovery'],
};
const maxBytes = 65_536;

/** AWS Secrets Manager: secrets with their current and their previous version. */
export class SecretsManagerService implements JsonService {
  readonly protocol = 'json';
  readonly name = 'secretsmanager';
  readonly targetPrefix = 'secretsmanager';
  readonly jsonVersion = '1.1';
  private readonly environment: Environment;
  private readonly secrets: StoredMap<StoredSecret>;

  constructor(environment: Environment) {
    this.environment = environment;
    this.secrets = environment.store.map('secrets');
  }

  async call(operation: string, input: Input): Promise<unknown> {
    const known = operations[operation];
    if (!known) throw notEmulated('secretsmanager', `operation ${operation}`);
    refuseUnknownParameters('secretsmanager', operation, input, known);
    switch (operation) {
      case 'CreateSecret':
        return this.create(input);
      case 'GetSecretValue':
        return this.getValue(input);
      case 'PutSecretValue':
        return this.putValue(input);
      case 'DescribeSecret':
        return this.describe(input);
      default:
        return this.delete(input);
    }
  }

  /** The current string of a secret, by name or ARN; undefined when there is none. For containers' secrets. */
  value(secretId: string): string | undefined {
    const secret = this.lookUp(secretId);
    return secret?.deletedMs === undefined ? secret?.versions.at(-1)?.string : undefined;
  }

  /** The customer's key that a secret is encrypted with, if it is. */
  keyArn(secretId: string): string | undefined {
    return this.lookUp(secretId)?.keyArn;
  }

  private create(input: Input): unknown {
    const name = String(input.Name ?? '');
    if (!/^[\w/+=.@!-]{1,512}$/.test(name))
      throw invalid(`Invalid name ${name}: 1 to 512 alphanumeric characters, or any of the following: -/_+=.@!`);
    const existing = this.secrets.get(name);
    if (existing?.deletedMs !== undefined && existing.deletedMs > this.environment.clock.now())
      throw new AwsError(
        'InvalidRequestException',
        `You can't create this secret because a secret with this name is already scheduled for deletion.`,
      );
    if (existing && existing.deletedMs === undefined)
      throw new AwsError('ResourceExistsException', `The operation failed because the secret ${name} already exists.`);
    const now = this.environment.clock.now();
    const { region, accountId } = this.environment;
    const suffix = randomUUID().replaceAll('-', '').slice(0, 6);
    const secret: StoredSecret = {
      name,
      arn: `arn:aws:secretsmanager:${region}:${accountId}:secret:${name}-${suffix}`,
      createdMs: now,
      changedMs: now,
      versions: [],
      ...(input.Description !== undefined && { description: String(input.Description) }),
      ...(input.KmsKeyId !== undefined && { keyArn: String(input.KmsKeyId) }),
    };
    const hasValue = input.SecretString !== undefined || input.SecretBinary !== undefined;
    if (hasValue) secret.versions.push(this.version(input));
    this.secrets.set(name, secret);
    return { ARN: secret.arn, Name: name, VersionId: secret.versions[0]?.id };
  }

  private putValue(input: Input): unknown {
    const secret = this.find(input);
    const version = this.version(input);
    const same = secret.versions.find(({ id }) => id === version.id);
    if (same && (same.string !== version.string || same.binary !== version.binary))
      throw new AwsError(
        'ResourceExistsException',
        `You can't use ClientRequestToken ${version.id} because that value is already in use for a version of secret ${secret.arn}.`,
      );
    if (!same) secret.versions = [...secret.versions.slice(-1), version];
    secret.changedMs = this.environment.clock.now();
    this.secrets.set(secret.name, secret);
    return { ARN: secret.arn, Name: secret.name, VersionId: version.id, VersionStages: ['AWSCURRENT'] };
  }

  private getValue(input: Input): unknown {
    const secret = this.find(input);
    const stage = String(input.VersionStage ?? 'AWSCURRENT');
    const stages = stagesOf(secret);
    const version = secret.versions.find(({ id }) =>
      input.VersionId === undefined ? stages[id] === stage : id === input.VersionId,
    );
    if (!version)
      throw notFound(
        `Secrets Manager can't find the specified secret value for ${input.VersionId === undefined ? `staging label: ${stage}` : `VersionId: ${input.VersionId}`}`,
      );
    return {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: version.id,
      SecretString: version.string,
      SecretBinary: version.binary,
      VersionStages: [stages[version.id]],
      CreatedDate: version.createdMs / 1000,
    };
  }

  private describe(input: Input): unknown {
    const secret = this.find(input, true);
    return {
      ARN: secret.arn,
      Name: secret.name,
      Description: secret.description,
      CreatedDate: secret.createdMs / 1000,
      LastChangedDate: secret.changedMs / 1000,
      DeletedDate: secret.deletedMs === undefined ? undefined : secret.deletedMs / 1000,
      VersionIdsToStages: Object.fromEntries(Object.entries(stagesOf(secret)).map(([id, stage]) => [id, [stage]])),
    };
  }

  private delete(input: Input): unknown {
    const secret = this.find(input, true);
    const days = (input.RecoveryWindowInDays ?? 30) as number;
    if (!Number.isInteger(days) || days < 7 || days > 30)
      throw invalid(`RecoveryWindowInDays must be between 7 and 30, not ${days}.`);
    const now = this.environment.clock.now();
    const deletedMs = input.ForceDeleteWithoutRecovery === true ? now : now + days * 86_400_000;
    if (deletedMs === now) this.secrets.delete(secret.name);
    else this.secrets.set(secret.name, { ...secret, deletedMs });
    return { ARN: secret.arn, Name: secret.name, DeletionDate: deletedMs / 1000 };
  }

  private version(input: Input): SecretVersion {
    const { SecretString: string, SecretBinary: binary } = input as Record<string, string | undefined>;
    if ((string === undefined) === (binary === undefined))
      throw invalid('You must provide either SecretString or SecretBinary, not both.');
    if (Buffer.byteLength(string ?? binary!) > maxBytes) throw invalid(`A secret value may have ${maxBytes} bytes.`);
    const id = String(input.ClientRequestToken ?? randomUUID());
    return {
      id,
      createdMs: this.environment.clock.now(),
      ...(string === undefined ? { binary: binary! } : { string }),
    };
  }

  private find(input: Input, deletedToo = false): StoredSecret {
    const secret = this.lookUp(String(input.SecretId ?? ''));
    if (!secret) throw notFound("Secrets Manager can't find the specified secret.");
    if (secret.deletedMs !== undefined && !deletedToo)
      throw new AwsError(
        'InvalidRequestException',
        "You can't perform this operation on the secret because it was marked for deletion.",
      );
    return secret;
  }

  /** A secret is named by its name, its ARN, or its ARN without the six characters at the end. */
  private lookUp(secretId: string): StoredSecret | undefined {
    const resource = /^arn:aws:secretsmanager:[^:]*:\d*:secret:(.+)$/.exec(secretId)?.[1];
    const secret = this.secrets.get(resource ?? secretId) ?? this.secrets.get((resource ?? '').replace(/-\w{6}$/, ''));
    const gone = secret?.deletedMs !== undefined && secret.deletedMs <= this.environment.clock.now();
    return gone ? undefined : secret;
  }
}

function stagesOf({ versions }: StoredSecret): Record<string, string> {
  return Object.fromEntries(
    versions.map(({ id }, index) => [id, index === versions.length - 1 ? 'AWSCURRENT' : 'AWSPREVIOUS']),
  );
}

const invalid = (message: string) => new AwsError('InvalidParameterException', message);
const notFound = (message: string) => new AwsError('ResourceNotFoundException', message);
