import type { SQSRecord } from 'aws-lambda';
import type { Nudge } from '../lib/app/ports.ts';
import { isId } from '../lib/domain/id.ts';
import { parsed } from './batch.ts';

/** The nudge in a message. @throws Hopeless when it is none. */
export function readNudge(record: SQSRecord): Nudge {
  return parsed(record, ({ tenant, kind, id }) => {
    const valid = typeof tenant === 'string' && kind === 'agent' && typeof id === 'string' && isId('agent', id);
    return valid ? { tenant, kind, id } : undefined;
  });
}
