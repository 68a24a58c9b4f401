import { join } from 'node:path';

/** The repository that this file is part of. */
export const repository = join(import.meta.dirname, '..', '..');
