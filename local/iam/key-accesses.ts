import type { AskedCall, Resources } from './access.ts';
import type { Access } from './policy.ts';

type KeyAction = 'Decrypt' | 'Encrypt' | 'GenerateDataKey';

const items = ['GetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'ConditionCheckItem', 'Query', 'Scan'];

/**
 * What a service asks of KMS in the name of who calls it, when the resource is encrypted with a customer's key: DynamoDB
 * for its table key, S3 and SQS for data keys, SSM and Secrets Manager for the plain text.
 */
const keyActions: Readonly<Record<string, readonly KeyAction[]>> = {
  ...Object.fromEntries(
    [...items, 'BatchGetItem', 'BatchWriteItem', 'GetRecords'].map((name) => [`dynamodb:${name}`, ['Decrypt']]),
  ),
  's3:GetObject': ['Decrypt'],
  's3:PutObject': ['GenerateDataKey'],
  'sqs:ReceiveMessage': ['Decrypt'],
  'sqs:SendMessage': ['GenerateDataKey', 'Decrypt'],
  'ssm:GetParameter': ['Decrypt'],
  'ssm:GetParameters': ['Decrypt'],
  'ssm:PutParameter': ['Encrypt'],
  'secretsmanager:GetSecretValue': ['Decrypt'],
};

/** @param call of which the access is a part; without it a service does with a role what it was given that for */
export function keyAccesses({ action, resource }: Access, resources: Resources, call?: AskedCall): Access[] {
  const actions = neededActions(action, call);
  if (actions.length === 0) return [];
  const keyArn = action === 'ssm:PutParameter' ? call?.input.KeyId : resources.keyArn(ownerOf(resource));
  if (keyArn === undefined) return [];
  const context = { 'kms:viaservice': `${action.split(':')[0]}.${resources.region}.amazonaws.com` };
  return actions.map((name) => ({ action: `kms:${name}`, resource: String(keyArn), context }));
}

function neededActions(action: string, call: AskedCall | undefined): readonly KeyAction[] {
  const operation = call?.operation ?? '';
  if (operation === 'HeadObject') return [];
  // Parts are read while they are written (S3 User Guide, "Multipart upload API and permissions").
  if (action === 's3:PutObject' && /Multipart|Part/.test(operation)) return ['GenerateDataKey', 'Decrypt'];
  if (action.startsWith('ssm:Get') && call && call.input.WithDecryption !== true) return [];
  return keyActions[action] ?? [];
}

/** The table of an index or a stream, the bucket of an object, or the resource itself. */
function ownerOf(resource: string): string {
  if (resource.startsWith('arn:aws:s3:::')) return resource.split('/')[0]!;
  return resource.replace(/^(arn:aws:dynamodb:[^/]+\/[^/]+)\/.*$/, '$1');
}
