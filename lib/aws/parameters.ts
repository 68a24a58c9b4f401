import {
  GetParameterCommand,
  ParameterAlreadyExists,
  ParameterNotFound,
  PutParameterCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm';
import type { Parameters } from '../app/ports.ts';

export class SsmParameters implements Parameters {
  private readonly client: SSMClient;

  private readonly keyArn: string | undefined;

  /** @param keyArn KMS key for parameters that are made. @default SSM's own */
  constructor(client: SSMClient, keyArn?: string) {
    this.client = client;
    this.keyArn = keyArn;
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
          KeyId: this.keyArn,
          Overwrite: false,
        }),
      );
      return true;
    } catch (error) {
      if (error instanceof ParameterAlreadyExists) return false;
      throw error;
    }
  }
}
