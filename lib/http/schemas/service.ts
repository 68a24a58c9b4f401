import * as z from 'zod';

export const health = z.object({ status: z.literal('ok'), version: z.string() }).meta({ id: 'Health' });

export type Health = z.output<typeof health>;

export const openapiDocument = z.record(z.string(), z.unknown());
