import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { TransactWriteCommand, type TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import type { Table } from './table.ts';

/** @returns `done`, or for each item the code of what was wrong with it (`None` when it was not the reason) */
export async function writeTogether(
  { client }: Table,
  TransactItems: NonNullable<TransactWriteCommandInput['TransactItems']>,
): Promise<'done' | string[]> {
  try {
    await client.send(new TransactWriteCommand({ TransactItems }));
    return 'done';
  } catch (error) {
    if (!(error instanceof TransactionCanceledException)) throw error;
    const codes = error.CancellationReasons?.map(({ Code }) => Code ?? 'None') ?? [];
    if (codes.includes('ConditionalCheckFailed')) return codes;
    throw error;
  }
}
