import type { SQSRecord } from 'aws-lambda';
import type { Nudge } from '../lib/app/ports.ts';
import { headRefOf } from '../lib/domain/head.ts';
import { parsed } from './batch.ts';

/** The nudge in a message. @throws Hopeless when it is none. */
export function readNudge(record: SQSRecord): Nudge {
  return parsed(record, headRefOf);
}
