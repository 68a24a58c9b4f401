import * as z from 'zod';
import { processText, utf8Bytes } from './field.ts';

const maxCommandBytes = 32 * 1024;

/** Runs a program once per task: the input on stdin, the output on stdout. */
export const commandDriver = z
  .strictObject({
    type: z.literal('command'),
    command: z
      .array(processText(maxCommandBytes))
      .min(1)
      .max(100)
      .refine((words) => words[0] !== '', { path: [0], error: 'The program to run is empty; name one, e.g. "bash".' })
      .refine((words) => words.reduce((sum, word) => sum + utf8Bytes(word), 0) <= maxCommandBytes, {
        error: `The command has more than the ${maxCommandBytes} bytes that are allowed.`,
      })
      .meta({
        description: 'Program and arguments; no shell unless you name one',
        examples: [['bash', '-c', 'wc -w']],
      }),
  })
  .meta({ id: 'CommandDriver' });

/** Calls `run(task, ctx)` of a module in the image: what it returns is the output. */
export const moduleDriver = z
  .strictObject({
    type: z.literal('module'),
    path: processText(1024)
      .min(1)
      .meta({
        description: "Path of an ES module; a relative one begins in the image's WORKDIR, locally where npm start runs",
        examples: ['/app/agent.mjs'],
      }),
  })
  .meta({ id: 'ModuleDriver' });

export const driver = z.discriminatedUnion('type', [commandDriver, moduleDriver]).meta({ id: 'Driver' });

export type Driver = z.infer<typeof driver>;
