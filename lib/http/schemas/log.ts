import * as z from 'zod';
import { timestamp } from './field.ts';
import { id } from './id.ts';
import { feedQuery } from './page.ts';

export const logStreams = ['stdout', 'stderr', 'system'] as const;
export const logStream = z.enum(logStreams);

/** One line that a task wrote; `system` lines are the shim's own. */
export const logLine = z
  .object({ time: timestamp, stream: logStream, line: z.string(), taskId: id('task') })
  .meta({ id: 'LogLine' });

export type LogStream = z.output<typeof logStream>;
export type LogLine = z.output<typeof logLine>;

export const listLogsQuery = z.strictObject({ taskId: id('task').optional(), ...feedQuery });
