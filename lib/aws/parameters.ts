import {
  GetParameterCommand,
  ParameterAlreadyExists,
  ParameterNotFound,
  PutParameterCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm';
import type { Parameters } from '../app/ports.ts';
import { tagKeys } from './tags.ts';

export class SsmParameters implements Parameters {
  private readonly client: SSMClient;

  private readonly config: { stack: string; kmsKeyArn?: string | undefined };

  /** @param config whose the parameters are that are made, and the KMS key for them (@default SSM's own) */
  constructor(client: SSMClient, config: { stack: string; kmsKeyArn?: string | undefined }) {
    this.client = client;
    this.config = config;
  }

  async get(name: string): Promise<string | undefined> {
    try {
      const answer = await this.client.send(new GetParameterCommand({ Name: name, WithDecryption: true }));
      return answer.Parameter?.Value;
    } catch (error) {
      if (error instanceof ParameterNotFound) return undefined;
      throw error;
    }
  }

  async create(name: string, value: string): Promise<boolean> {
    try {
      await this.client.send(
        new PutParameterCommand({
          Name: name,
          Value: value,
          Type: 'SecureString',
          KeyId: this.config.kmsKeyArn,
          Overwrite: false,
          Tags: [{ Key: tagKeys.stack, Value: this.config.stack }],
        }),
      );
      return true;
    } catch (error) {
      if (error instanceof ParameterAlreadyExists) return false;
      throw error;
    }
  }
}
