import { expect, test } from 'vitest';
import { nearest } from '../../lib/http/suggestion.ts';

const known = ['timeoutSeconds', 'maxAttempts', 'env', 'labels', 'cpu'];

test.each([
  ['timeoutSecond', 'timeoutSeconds'],
  ['timeout_seconds', 'timeoutSeconds'],
  ['maxattempts', 'maxAttempts'],
  ['lables', 'labels'],
  ['evn', 'env'],
])('"%s" means "%s"', (name, meant) => {
  expect(nearest(name, known)).toBe(meant);
});

test.each(['colour', 'x', '', 'timeout', 'x'.repeat(1000)])('"%s" means nothing that is known', (name) => {
  expect(nearest(name, known)).toBeUndefined();
});
