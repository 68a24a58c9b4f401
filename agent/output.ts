import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { backoffMs } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { DriverOutcome } from './drivers/driver.ts';
import { describeError } from './log.ts';
import type { Failure, Json, OutputSpec, TaskOutput } from './protocol.ts';
import { matchingFiles } from './shared-files.ts';

export interface OutputDependencies {
  workspace: string;
  /** Larger outputs, as JSON, go to S3. */
  maxInlineBytes: number;
  /** Asks the API for a presigned PUT. */
  requestUrl(bytes: number): Promise<{ key: string; url: string }>;
  fetch: typeof fetch;
  clock: Clock;
}

type Success = Exclude<DriverOutcome, { failure: Failure }>;

/** Makes of what the driver ended with what the task asked for, and brings it to S3 where it is large. */
export async function prepareOutput(
  outcome: Success,
  spec: OutputSpec,
  deps: OutputDependencies,
): Promise<TaskOutput | { failure: Failure }> {
  if (spec.type === 'files') return await deliver(await listFiles(deps.workspace, spec.files ?? ['**']), deps);
  if ('value' in outcome) {
    const failure = spec.type === 'json' ? await checkSchema(outcome.value, spec) : null;
    return failure ? { failure } : await deliver(outcome.value, deps);
  }
  const bytes = outcome.bytes.reduce((sum, chunk) => sum + chunk.length, 0);
  if (spec.type === 'json') {
    const parsed = parseJson(Buffer.concat(outcome.bytes).toString('utf8'));
    if ('failure' in parsed) return parsed;
    const failure = await checkSchema(parsed.value, spec);
    return failure ? { failure } : await deliver(parsed.value, deps);
  }
  // Text that can't be inline is never made a string: 100 MB of it would be several hundred in memory.
  if (bytes > deps.maxInlineBytes) {
    return { outputRef: await upload(new Blob(outcome.bytes as Buffer<ArrayBuffer>[], { type: 'text/plain' }), deps) };
  }
  return await deliver(Buffer.concat(outcome.bytes).toString('utf8'), deps);
}

function parseJson(text: string): { value: Json } | { failure: Failure } {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    const start = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
    const message = `The task asked for JSON, but stdout is not JSON: ${(error as Error).message}. It starts with ${start}. Write only the JSON to stdout and everything else to stderr.`;
    return { failure: { code: 'output_invalid', message } };
  }
}

async function checkSchema(value: Json, { schema }: OutputSpec): Promise<Failure | null> {
  if (schema === undefined || schema === null) return null;
  const { compileJsonSchema } = await import('../lib/http/schemas/json-schema.ts');
  try {
    const mismatch = compileJsonSchema(schema)(value);
    if (mismatch === null) return null;
    return { code: 'output_invalid', message: `The output does not fit the task's schema: ${mismatch}.` };
  } catch (error) {
    return { code: 'output_invalid', message: `The task's output schema can't be used: ${describeError(error)}.` };
  }
}

/** The files of the workspace that match, with their hashes. */
async function listFiles(workspace: string, patterns: string[]): Promise<Json> {
  const files: Json[] = [];
  for (const { path, absolute, bytes } of await matchingFiles(workspace, patterns)) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(absolute), hash);
    files.push({ path, bytes, sha256: hash.digest('hex') });
  }
  return { files };
}

async function deliver(output: Json, deps: OutputDependencies): Promise<TaskOutput> {
  const json = JSON.stringify(output);
  if (Buffer.byteLength(json) <= deps.maxInlineBytes) return { output };
  const body =
    typeof output === 'string'
      ? new Blob([output], { type: 'text/plain' })
      : new Blob([json], { type: 'application/json' });
  return { outputRef: await upload(body, deps) };
}

const uploadTries = 5;

/** Puts a body where the API says. @throws Error when that does not succeed in some tries */
export async function upload(
  body: Blob,
  deps: Pick<OutputDependencies, 'requestUrl' | 'fetch' | 'clock'>,
): Promise<{ key: string; bytes: number }> {
  for (let tries = 1; ; tries++) {
    const { key, url } = await deps.requestUrl(body.size);
    let problem: string;
    try {
      const response = await deps.fetch(url, { method: 'PUT', body, headers: { 'content-type': body.type } });
      await response.arrayBuffer();
      if (response.ok) return { key, bytes: body.size };
      problem = `HTTP ${response.status}`;
    } catch (error) {
      problem = describeError(error);
    }
    if (tries === uploadTries) {
      throw new Error(`The output of ${body.size} bytes could not be uploaded in ${tries} tries: ${problem}.`);
    }
    await deps.clock.sleep(backoffMs(tries));
  }
}
