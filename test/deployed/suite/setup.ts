import { ApiClient } from '../../e2e/support/client.ts';
import { readTarget } from '../target.ts';

export const target = readTarget();

/** The deployed API, with its first admin key. */
export const api = new ApiClient(target, target.patienceMs);
