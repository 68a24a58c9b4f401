import { RouseError } from '../../domain/errors.ts';
import type { Schedule } from '../../domain/schedule.ts';
import type { Deps } from '../deps.ts';

/** What may be handed on from one fire to the next. A larger result belongs into files. */
const maxBytes = 1024 * 1024;

/** The output of the last fire that succeeded, or null if none has. @throws RouseError too_large */
export async function lastOutput(deps: Deps, { tenant, lastSuccess }: Schedule): Promise<unknown> {
  if (lastSuccess?.taskId === undefined) return null;
  const record = await deps.tasks.record(tenant, lastSuccess.taskId);
  if (record?.outputKey === undefined) return record?.output ?? null;
  const { outputBytes = 0 } = record;
  if (outputBytes > maxBytes)
    throw new RouseError(
      'too_large',
      `$fire.lastOutput has ${outputBytes} bytes (task ${record.id}); at most ${maxBytes} are handed on.`,
    );
  const body = await deps.objects.get(record.outputKey);
  if (body === undefined) return null;
  const text = Buffer.from(body).toString();
  return record.expects.type === 'json' ? JSON.parse(text) : text;
}
