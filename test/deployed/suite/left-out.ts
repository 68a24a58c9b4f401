import { afterEach, beforeEach } from 'vitest';
import { entriesOf } from '../compatibility/differences.ts';
import { record } from '../compatibility/record.ts';
import { readTarget } from '../target.ts';

const { leftOut } = entriesOf(readTarget().backend);

beforeEach(({ task, skip }) => {
  const name = fullName(task);
  const entry = leftOut.find(({ test }) => test === name);
  if (!entry) return;
  record({ type: 'test', name, leftOut: true });
  skip(entry.reason);
});

afterEach(({ task }) => {
  record({ type: 'test', name: fullName(task), leftOut: false });
});

function fullName(task: { name: string; suite?: { name: string; suite?: unknown } }): string {
  const suite = task.suite?.name;
  return suite ? `${suite} > ${task.name}` : task.name;
}
