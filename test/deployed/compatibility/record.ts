import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/** What a run found, line by line, by whichever of its processes found it. */
export type Finding =
  | { type: 'fact'; id: string; asOnAws: boolean; why?: string }
  | { type: 'test'; name: string; leftOut: boolean };

const variable = 'ROUSE_DEPLOYED_FINDINGS';

export function findingsVariable(file: string): Record<string, string> {
  return { [variable]: file };
}

export function record(finding: Finding): void {
  const file = process.env[variable];
  if (file) appendFileSync(file, `${JSON.stringify(finding)}\n`);
}

export function readFindings(file: string): Finding[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Finding);
}
