import { payloadTests } from '../../e2e/support/shared-tests.ts';
import { api } from './setup.ts';

payloadTests(() => api);
