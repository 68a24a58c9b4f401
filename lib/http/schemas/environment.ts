import * as z from 'zod';
import { processText, rule, utf8Bytes } from './field.ts';

const maxVariables = 64;
const maxTotalBytes = 32 * 1024;

const variableName = z
  .string()
  .max(128)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, rule('a name of letters, digits and _ that begins with a letter or _ is allowed'))
  .refine((name) => !/^(ROUSE|AWS)_/i.test(name), rule('names that begin with ROUSE_ or AWS_ are reserved'));

const tooMany = {
  error: (issue: { input?: unknown }) =>
    `Received ${Object.keys(issue.input as object).length} variables; at most ${maxVariables} are allowed.`,
};

/** Environment of the driver: at most 64 variables, 8 KiB each, 32 KiB in total. */
export const env = z
  .record(variableName, processText(8 * 1024))
  .refine((map) => Object.keys(map).length <= maxVariables, tooMany)
  .refine((map) => totalBytes(map) <= maxTotalBytes, {
    error: (issue) => {
      const received = totalBytes(issue.input as Record<string, string>);
      return `Received ${received} bytes of names and values; at most ${maxTotalBytes} are allowed.`;
    },
  })
  .meta({ description: 'At most 64 variables, 8 KiB each, 32 KiB in total; ROUSE_ and AWS_ are reserved' });

const secretArn = z
  .string()
  .max(2048)
  .regex(
    /^arn:aws[a-z-]*:(secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@!-]+(:[\w.-]*:[\w.-]*:[\w.-]*)?|ssm:[a-z0-9-]+:\d{12}:parameter\/[\w./-]+)$/,
    rule('the ARN of a Secrets Manager secret or of an SSM parameter is allowed'),
  );

/** Variables whose values ECS reads from Secrets Manager or SSM at launch. */
export const secrets = z
  .record(variableName, secretArn)
  .refine((map) => Object.keys(map).length <= maxVariables, tooMany);

function totalBytes(map: Record<string, string>): number {
  return Object.entries(map).reduce((sum, [name, value]) => sum + utf8Bytes(name) + utf8Bytes(value), 0);
}
