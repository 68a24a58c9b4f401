import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { BackendName, Target } from '../target.ts';
import { entriesOf, tried } from './differences.ts';
import { facts } from './facts.ts';
import type { Finding } from './record.ts';

const file = fileURLToPath(new URL('../../../docs/compatibility.md', import.meta.url));

const introduction = `# Where Rouse has been deployed

Made by \`npm run test:localstack -- --write-table\`; do not edit. Each section is what one run found: the CDK CLI deployed the stack to that server, the suite in [\`test/deployed/suite\`](../test/deployed/suite) ran through the deployed HTTP API, and each row of [\`facts.ts\`](../test/deployed/compatibility/facts.ts), something that AWS does and Rouse relies on, was tried there. A run fails when it finds something else than its section says. The reasons come from [\`differences.ts\`](../test/deployed/compatibility/differences.ts), without an entry in which no difference passes and no test may be left out.
`;

/** The order of the sections. */
const backends: readonly BackendName[] = ['embedded AWS', 'MiniStack', 'LocalStack', 'AWS Emulator', 'AWS'];

/** @throws Error when the run found something else than the page says */
export function checkTable(target: Target, findings: readonly Finding[]): void {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  if (sectionsOf(text).get(target.backend) === sectionOf(target, findings)) return;
  throw new Error(
    `docs/compatibility.md does not say what this run found on ${target.backend}. Write it by npm run test:localstack -- --write-table`,
  );
}

/** Puts what the run found in place of the backend's section; the others stay. */
export function writeTable(target: Target, findings: readonly Finding[]): void {
  const sections = sectionsOf(existsSync(file) ? readFileSync(file, 'utf8') : '');
  sections.set(target.backend, sectionOf(target, findings));
  const run = backends.flatMap((backend) => sections.get(backend) ?? []);
  writeFileSync(file, [introduction, ...run, notRun(backends.filter((backend) => !sections.has(backend)))].join('\n'));
}

function sectionsOf(text: string): Map<BackendName, string> {
  const sections = new Map<BackendName, string>();
  for (const backend of backends) {
    const start = text.indexOf(`## ${backend}\n`);
    if (start < 0) continue;
    const end = text.indexOf('\n## ', start);
    sections.set(backend, end < 0 ? text.slice(start) : text.slice(start, end));
  }
  return sections;
}

function sectionOf({ backend, version }: Target, findings: readonly Finding[]): string {
  const { differences, leftOut } = entriesOf(backend);
  const tests = new Set(findings.flatMap((finding) => (finding.type === 'test' ? finding.name : [])));
  const unknown = leftOut.filter(({ test }) => !tests.has(test));
  if (unknown.length > 0)
    throw new Error(`differences.ts leaves out tests that are not there: ${JSON.stringify(unknown)}`);
  const rows = facts.map(({ id, service, operation, says }) => {
    const found = findings.find((finding) => finding.type === 'fact' && finding.id === id);
    const difference = differences.find(({ fact }) => fact === id);
    const here = difference ? `**no**: ${difference.instead}. ${difference.handledBy}` : 'yes';
    return row([service, operation, says, found ? here : 'not tried']);
  });
  const left = leftOut.map(({ test, reason }) => `- ${test}. ${reason}\n`);
  return [
    `## ${backend}\n`,
    `${version ? `Version ${version}. ` : ''}The suite passes${left.length > 0 ? ', but for:' : ', all of it.'}\n`,
    ...(left.length > 0 ? [left.join('')] : []),
    row(['service', 'operation', 'on AWS', 'here']),
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function notRun(missing: readonly BackendName[]): string {
  const lines = tried.map(({ server, when, result }) => `- **${server}** (${when}): ${result}`);
  return ['## Tried, or not run yet\n', ...lines, `- Not run yet: ${missing.join(', ')}.`, ''].join('\n');
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
