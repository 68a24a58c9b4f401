import * as z from 'zod';
import { integer, number } from './field.ts';

export const budget = z
  .strictObject({
    tokens: integer(1, 1e12).optional().describe('Input and output together'),
    costUsd: number(0.000001, 1e6).optional().describe('What its container costs, and what its program says it spent'),
  })
  .meta({
    id: 'Budget',
    description: 'The most that may be used; what is left out is as in the template, or not limited',
  });
