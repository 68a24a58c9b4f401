/** What may differ between the two engines, each with its reason. All else must be equal. */
import type { Answer, Refusal } from './answers.ts';
import type { Operation } from './operations.ts';
import { headOf } from './wordings.ts';

/** What DynamoDB Local found wrong, in a request or in an item of a transaction. */
function faultsOf(refusal: Refusal): string[] {
  if (isInvalid(refusal) || isCancelledForKeys(refusal)) return [headOf(refusal.message)];
  const faults = (refusal.CancellationReasons ?? []).filter(({ Code }) => Code === 'ValidationError');
  return isCancelled(refusal) ? faults.map(({ Message = '' }) => headOf(Message)) : [];
}

interface KnownDifference {
  why: string;
  covers(embedded: Refusal, authority: Refusal): boolean;
}

const isInvalid = ({ name }: Refusal) => name === 'ValidationException';
const isCancelled = ({ name }: Refusal) => name === 'TransactionCanceledException';
/** How DynamoDB Local refuses a transactional read with a key that is none. */
const isCancelledForKeys = (refusal: Refusal) => isCancelled(refusal) && !refusal.CancellationReasons;
const hasInvalidItem = ({ CancellationReasons: reasons = [] }: Refusal) =>
  reasons.some((reason) => reason.Code === 'ValidationError');

const knownDifferences: readonly KnownDifference[] = [
  {
    why: 'Of several faults of one request nobody promises which is named. (A refusal for a fault that is none shows where it is the only one.)',
    covers: (embedded, authority) =>
      isInvalid(embedded) && faultsOf(authority).length > 0 && !faultsOf(authority).includes(headOf(embedded.message)),
  },
  {
    why: 'An action that does not suit its item cancels the transaction, with the reason ValidationError in the place of that action and a reason for each other (API Reference, TransactWriteItems, TransactGetItems: CancellationReasons). DynamoDB Local refuses the request, or gives that reason alone, or none.',
    covers: (embedded, authority) =>
      isCancelled(embedded) &&
      hasInvalidItem(embedded) &&
      (isInvalid(authority) || hasInvalidItem(authority) || isCancelledForKeys(authority)),
  },
  {
    why: "A syntax error names the token that doesn't fit. DynamoDB Local's parser sometimes leaves that one out, goes on, and names the next.",
    covers: (embedded, authority) =>
      isInvalid(embedded) &&
      /Syntax error; token/.test(embedded.message) &&
      /Syntax error; token/.test(authority.message),
  },
  {
    why: 'A transaction with two actions on one item, with a path into a key, or without an UpdateExpression, is refused for itself (API Reference, TransactWriteItems: ValidationException; Update: UpdateExpression is required). DynamoDB Local looks at the conditions first.',
    covers: (embedded, authority) =>
      isInvalid(embedded) &&
      /^constraint$|multiple operations on one item|Key attributes must be scalars/.test(embedded.message) &&
      isCancelled(authority),
  },
];

/** The only one between answers that are no refusals. */
const updatedAttributes =
  'UPDATED_OLD and UPDATED_NEW return "only the updated attributes" (API Reference, UpdateItem): of a document what lies on the updated paths. DynamoDB Local returns the whole document.';

/** Why two different answers are both right, or undefined when they are not. */
export function knownDifference({ input }: Operation, embedded: Answer, authority: Answer): string | undefined {
  if ('error' in authority && authority.error.name === 'InternalFailure') return 'DynamoDB Local fell over itself.';
  if ('error' in embedded && 'error' in authority)
    return knownDifferences.find((known) => known.covers(embedded.error, authority.error))?.why;
  const isUpdated = /^UPDATED_/.test(String(input.ReturnValues)) && /[.[]/.test(String(input.UpdateExpression));
  if ('error' in embedded || 'error' in authority || !isUpdated) return undefined;
  return isPart(embedded.output, authority.output) ? updatedAttributes : undefined;
}

function isPart(part: unknown, whole: unknown): boolean {
  if (typeof part !== 'object' || part === null || typeof whole !== 'object' || whole === null) return part === whole;
  if (Array.isArray(whole))
    return Array.isArray(part) && part.every((element) => whole.some((other) => isPart(element, other)));
  return Object.entries(part).every(([name, value]) => isPart(value, (whole as Record<string, unknown>)[name]));
}
