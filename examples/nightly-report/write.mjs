// Its input is {"day", "used", "before"}; the file numbers/history.csv came from the agent before it.
import { readFileSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';

const { day, used, before } = JSON.parse(await text(process.stdin));
const [, ...nights] = readFileSync('numbers/history.csv', 'utf8').trim().split('\n');
const change =
  before === null ? 'the first report' : `${used - before >= 0 ? '+' : ''}${used - before} since the last one`;
const lines = [
  `Report of ${day}`,
  `${used} % of the memory are used: ${change}.`,
  `Nights so far: ${nights.length}`,
  ...nights,
];
writeFileSync('report.md', lines.join('\n'));
console.log(JSON.stringify({ used, nights: nights.length, report: lines.join('\n') }));
