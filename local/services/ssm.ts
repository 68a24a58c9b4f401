import { AwsError, notEmulated, refuseUnknownParameters } from '../errors.ts';
import type { Environment, JsonService } from '../service.ts';
import type { StoredMap } from '../store.ts';

type Input = Record<string, unknown>;

interface Tag {
  Key: string;
  Value: string;
}

interface StoredParameter {
  name: string;
  type: string;
  value: string;
  version: number;
  modifiedMs: number;
  description?: string;
  /** Of the customer's KMS key that a secure string is encrypted with. */
  keyArn?: string;
  tags?: Tag[];
}

const operations: Record<string, readonly string[]> = {
  PutParameter: ['Name', 'Value', 'Type', 'KeyId', 'Overwrite', 'Description', 'Tier', 'DataType', 'Tags'],
  GetParameter: ['Name', 'WithDecryption'],
  GetParameters: ['Names', 'WithDecryption'],
  GetParametersByPath: ['Path', 'Recursive', 'WithDecryption', 'MaxResults', 'NextToken'],
  DeleteParameter: ['Name'],
  ListTagsForResource: ['ResourceType', 'ResourceId'],
};
const maxValueBytes: Record<string, number> = { Standard: 4096, Advanced: 8192 };

/** SSM Parameter Store: strings and secure strings, latest version only. */
export class SsmService implements JsonService {
  readonly protocol = 'json';
  readonly name = 'ssm';
  readonly targetPrefix = 'AmazonSSM';
  readonly jsonVersion = '1.1';
  private readonly environment: Environment;
  private readonly parameters: StoredMap<StoredParameter>;

  constructor(environment: Environment) {
    this.environment = environment;
    this.parameters = environment.store.map('ssm-parameters');
  }

  async call(operation: string, input: Input): Promise<unknown> {
    const known = operations[operation];
    if (!known) throw notEmulated('ssm', `operation ${operation}`);
    refuseUnknownParameters('ssm', operation, input, known);
    if (operation === 'PutParameter') return this.put(input);
    if (operation === 'GetParameter') return { Parameter: this.render(this.find(input.Name), input) };
    if (operation === 'GetParameters') return this.getMany(input);
    if (operation === 'GetParametersByPath') return this.getByPath(input);
    if (operation === 'ListTagsForResource') return this.tagsOf(input);
    return this.delete(input);
  }

  /** The value of a parameter, secure strings decrypted; undefined when there is none. For containers' secrets. */
  value(name: string): string | undefined {
    return this.parameters.get(this.bareName(name))?.value;
  }

  /** The customer's key that a parameter is encrypted with, if it is. */
  keyArn(name: string): string | undefined {
    return this.parameters.get(this.bareName(name))?.keyArn;
  }

  /** Names of all parameters. */
  names(): string[] {
    return [...this.parameters.entries()].map(([name]) => name);
  }

  private put(input: Input): unknown {
    const { Name: name, Value: value, Description: description } = input;
    const existing = typeof name === 'string' ? this.parameters.get(name) : undefined;
    validateName(name);
    const type = String(input.Type ?? existing?.type ?? '');
    const tier = String(input.Tier ?? 'Standard');
    if (typeof value !== 'string' || value === '')
      throw invalid('A parameter needs a Value of at least one character.');
    if (!['String', 'SecureString', 'StringList'].includes(type))
      throw existing
        ? invalid(`Type ${type} is not supported: String, StringList and SecureString are.`)
        : invalid('A parameter type is required when you create a parameter.');
    if (input.DataType !== undefined && input.DataType !== 'text')
      throw notEmulated('ssm', `DataType ${input.DataType} of PutParameter`);
    const keyArn = keyOf(input.KeyId, type);
    const max = maxValueBytes[tier];
    if (max === undefined) throw notEmulated('ssm', `Tier ${tier} of PutParameter`);
    if (Buffer.byteLength(value) > max)
      throw invalid(
        `${tier} tier parameters support a maximum parameter value of ${max} characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier.`,
      );
    if (existing && input.Overwrite !== true)
      throw new AwsError(
        'ParameterAlreadyExists',
        'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.',
      );
    const tags = input.Tags as Tag[] | undefined;
    if (tags && input.Overwrite === true)
      throw invalid(
        "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.",
      );
    const version = (existing?.version ?? 0) + 1;
    const modifiedMs = this.environment.clock.now();
    this.parameters.set(name, {
      name,
      type,
      value,
      version,
      modifiedMs,
      ...(description !== undefined && { description: String(description) }),
      ...(keyArn !== undefined && { keyArn }),
      ...(tags && { tags }),
      ...(existing?.tags && { tags: existing.tags }),
    });
    return { Version: version, Tier: tier };
  }

  private getMany(input: Input): unknown {
    const names = (input.Names ?? []) as string[];
    if (names.length < 1 || names.length > 10) throw invalid(`GetParameters takes 1 to 10 names, not ${names.length}.`);
    const found = names.filter((name) => this.parameters.has(this.bareName(name)));
    return {
      Parameters: found.map((name) => this.render(this.find(name), input)),
      InvalidParameters: names.filter((name) => !found.includes(name)),
    };
  }

  private getByPath(input: Input): unknown {
    const path = String(input.Path ?? '');
    if (!path.startsWith('/')) throw invalid(`The parameter path ${path} must begin with a slash '/'.`);
    const max = (input.MaxResults ?? 10) as number;
    if (!Number.isInteger(max) || max < 1 || max > 10)
      throw invalid(`MaxResults must be between 1 and 10, not ${max}.`);
    const prefix = path.endsWith('/') ? path : `${path}/`;
    const after = input.NextToken === undefined ? '' : Buffer.from(String(input.NextToken), 'base64url').toString();
    const names = [...this.parameters.values()]
      .map(({ name }) => name)
      .filter(
        (name) =>
          name.startsWith(prefix) &&
          name > after &&
          (input.Recursive === true || !name.slice(prefix.length).includes('/')),
      )
      .sort();
    const page = names.slice(0, max);
    return {
      Parameters: page.map((name) => this.render(this.find(name), input)),
      ...(names.length > max && { NextToken: Buffer.from(page.at(-1)!).toString('base64url') }),
    };
  }

  private tagsOf(input: Input): unknown {
    if (input.ResourceType !== 'Parameter')
      throw notEmulated('ssm', `ResourceType ${input.ResourceType} of ListTagsForResource`);
    const found = this.parameters.get(this.bareName(String(input.ResourceId)));
    if (!found) throw new AwsError('InvalidResourceId', `The resource ID ${input.ResourceId} is not valid.`);
    return { TagList: found.tags ?? [] };
  }

  private delete(input: Input): unknown {
    this.parameters.delete(this.find(input.Name).name);
    return {};
  }

  private find(name: unknown): StoredParameter {
    const found = typeof name === 'string' ? this.parameters.get(this.bareName(name)) : undefined;
    if (!found) throw new AwsError('ParameterNotFound', `Parameter ${String(name)} not found.`);
    return found;
  }

  private render(parameter: StoredParameter, input: Input): unknown {
    const { name, type, value, version, modifiedMs } = parameter;
    const hidden = type === 'SecureString' && input.WithDecryption !== true;
    return {
      Name: name,
      Type: type,
      Value: hidden ? `encrypted:${Buffer.from(value).toString('base64')}` : value,
      Version: version,
      LastModifiedDate: modifiedMs / 1000,
      ARN: this.arn(name),
      DataType: 'text',
    };
  }

  private arn(name: string): string {
    const { region, accountId } = this.environment;
    return `arn:aws:ssm:${region}:${accountId}:parameter${name.startsWith('/') ? '' : '/'}${name}`;
  }

  /** A parameter may be named by its ARN, too. */
  private bareName(name: string): string {
    const path = /^arn:aws:ssm:[^:]*:\d*:parameter(\/.+)$/.exec(name)?.[1];
    if (path === undefined) return name;
    return this.parameters.has(path) ? path : path.slice(1);
  }
}

function keyOf(keyId: unknown, type: string): string | undefined {
  if (keyId === undefined) return undefined;
  if (type !== 'SecureString') throw invalid('KeyId is required for SecureString type parameter only.');
  if (!String(keyId).startsWith('arn:aws:kms:'))
    throw notEmulated('ssm', `KeyId ${keyId} of PutParameter, which is not the ARN of a key`);
  return String(keyId);
}

function validateName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || !/^[a-zA-Z0-9_.\-/]{1,2048}$/.test(name))
    throw invalid(`Parameter name ${String(name)} must be 1 to 2048 letters, digits or one of "_.-/".`);
  if (name.includes('/') && !name.startsWith('/')) throw invalid('Parameter name must be a fully qualified name.');
  if (/^\/?(aws|ssm)/i.test(name))
    throw invalid(`Parameter name: can't be prefixed with "aws" or "ssm" (case-insensitive).`);
}

const invalid = (message: string) => new AwsError('ValidationException', message);
