/** A vitest reporter that writes what a whole run of the claims on MiniStack came to, to `docs/contracts.md`. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { backendName } from './backend.ts';
import { type Deviation, deviations } from './deviations.ts';

const page = fileURLToPath(new URL('../../docs/contracts.md', import.meta.url));

interface Row {
  claims: number;
  deviating: (Deviation & { claim: string })[];
}

export default class ContractTable implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const suites = readdirSync(new URL('.', import.meta.url)).filter((file) => file.endsWith('.test.ts'));
    const claims = modules.filter(({ moduleId }) => moduleId.endsWith('.test.ts'));
    if (backendName !== 'MiniStack' || claims.length < suites.length) return;
    const tests = claims.flatMap((module) => [...module.children.allTests()]);
    if (tests.some((test) => test.result().state !== 'passed')) return;
    const text = rendered(tests);
    if (text === current()) return;
    writeFileSync(page, text);
    console.log('docs/contracts.md was out of date and has been written.');
    if (process.env.CI) process.exitCode = 1;
  }
}

function current(): string {
  try {
    return readFileSync(page, 'utf8');
  } catch {
    return '';
  }
}

function rendered(tests: readonly TestCase[]): string {
  const rows = rowsOf(tests);
  const sum = [...rows.values()].reduce((total, row) => total + row.claims, 0);
  const deviating = [...rows.values()].reduce((total, row) => total + row.deviating.length, 0);
  const lines = [
    '# Contracts',
    '',
    '<!-- Written by `npm run test:contract`. What a backend does differently is told in test/contract/deviations.ts. -->',
    '',
    `${sum} claims about operations of AWS, as its documentation has them, hold on the embedded AWS in every \`npm test\`. On ${backendName} ${sum - deviating} of them hold. The run proves both: a claim that is listed below must fail there.`,
    '',
    `| service | operation | claims | hold on ${backendName} |`,
    '|---|---|---|---|',
  ];
  for (const [operation, { claims, deviating: fail }] of rows) {
    const [service, name] = split(operation);
    lines.push(`| ${service} | ${name} | ${claims} | ${claims - fail.length} |`);
  }
  lines.push(
    '',
    `## What ${backendName} does differently`,
    '',
    `| operation | claim | ${backendName} | AWS |`,
    '|---|---|---|---|',
  );
  for (const [operation, row] of rows)
    for (const { claim, does, aws } of row.deviating) lines.push(`| ${operation} | ${claim} | ${does} | ${aws} |`);
  return `${lines.join('\n')}\n`;
}

/** By service and operation, in the order of the alphabet. */
function rowsOf(tests: readonly TestCase[]): Map<string, Row> {
  const rows = new Map<string, Row>();
  const names = tests.map((test) => ({
    service: test.parent.type === 'suite' ? test.parent.name : '',
    name: test.name,
  }));
  const keys = names.map(({ service, name }) => `${service} ${name}`).sort();
  for (const key of keys) {
    const colon = key.indexOf(': ');
    const operation = key.slice(0, colon);
    const row = rows.get(operation) ?? { claims: 0, deviating: [] };
    row.claims += 1;
    const deviation = deviations[backendName]?.[key];
    if (deviation) row.deviating.push({ claim: key.slice(colon + 2), ...deviation });
    rows.set(operation, row);
  }
  return rows;
}

/** Service and operation: an operation's name is one word. */
function split(operation: string): [string, string] {
  const space = operation.lastIndexOf(' ');
  return [operation.slice(0, space), operation.slice(space + 1)];
}
