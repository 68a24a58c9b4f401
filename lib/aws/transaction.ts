import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { TransactWriteCommand, type TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import type { Table } from './table.ts';

/** A transaction that met another one is tried again this often. */
const tries = 5;

/** @returns `done`, or for each item the code of what was wrong with it (`None` when it was not the reason) */
export async function writeTogether(
  { client }: Table,
  TransactItems: NonNullable<TransactWriteCommandInput['TransactItems']>,
): Promise<'done' | string[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      await client.send(new TransactWriteCommand({ TransactItems }));
      return 'done';
    } catch (error) {
      if (!(error instanceof TransactionCanceledException)) throw error;
      const codes = error.CancellationReasons?.map(({ Code }) => Code ?? 'None') ?? [];
      if (codes.includes('ConditionalCheckFailed')) return codes;
      // Two that met: one of them comes through.
      if (!codes.includes('TransactionConflict') || attempt >= tries) throw error;
    }
  }
}
