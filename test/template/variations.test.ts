import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { variations } from './variations.ts';

test('every documented context key is in a template that is linted', () => {
  const readme = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');
  const [, table = ''] = /\n## Configuration\n[\s\S]*?\n\|---\|---\|---\|\n([\s\S]*?)\n\n/.exec(readme) ?? [];
  const documented = table.split('\n').flatMap((row) => row.split('|')[1]!.match(/\w+/g) ?? []);
  expect(documented).toContain('stackName');
  const linted = Object.values(variations).flatMap((context) => Object.keys(context));
  expect([...new Set(linted)].sort()).toEqual([...documented].sort());
});
