/**
 * Random operations on the embedded DynamoDB and on Amazon's DynamoDB Local: every answer must be equal.
 *
 *     npm run test:differential -- [--operations 20000] [--seed 1] [--lanes 4]
 *
 * The operations come in sequences of 100 on fresh tables, after which the tables' streams are compared, too. The first difference ends the run with the seed of its
 * sequence (`--seed N --operations 100` runs it alone) and the shortest sequence that shows it.
 */
import { inspect, parseArgs } from 'node:util';
import { Draw } from './draw.ts';
import { EmbeddedBackend, LocalBackend } from './dynamodb/backends.ts';
import { Comparison, type Difference } from './dynamodb/comparison.ts';
import { sequenceOf } from './dynamodb/operations.ts';
import { startDynamoDbLocal } from './dynamodb-local/server.ts';

const sequenceLength = 100;

const { values: options } = parseArgs({
  options: {
    operations: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    lanes: { type: 'string', default: '4' },
  },
});
const [operations, seed, lanes] = [options.operations, options.seed, options.lanes].map(wholeNumber) as [
  number,
  number,
  number,
];

function wholeNumber(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new Error(`"${text}" is not a number of operations, lanes or a seed: give a whole number above 0.`);
}

interface Found {
  seed: number;
  difference: Difference;
}

/** How often each known difference was met. */
const known = new Map<string, number>();

/** Runs all sequences; the lanes share them. */
async function run(endpoint: string): Promise<Found | undefined> {
  const sequences = Math.ceil(operations / sequenceLength);
  let next = 0;
  let found: Found | undefined;
  const lane = async (number: number) => {
    const comparison = new Comparison(new EmbeddedBackend(), new LocalBackend(endpoint, number));
    while (next < sequences && !found) {
      const sequenceSeed = seed + next++;
      const draw = new Draw(sequenceSeed);
      const difference = await comparison.difference(sequenceOf(draw, sequenceLength));
      if (!difference || found) continue;
      found = { seed: sequenceSeed, difference };
      found.difference = await comparison.shortened(difference);
    }
    for (const [why, times] of comparison.known) known.set(why, (known.get(why) ?? 0) + times);
  };
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  return found;
}

function report({ seed: found, difference: { sequence, embedded, authority } }: Found): void {
  const show = (value: unknown) => inspect(value, { depth: null, maxArrayLength: null, breakLength: 120 });
  console.log(`\nThe answers differ in the sequence of seed ${found}. The shortest sequence that shows it:`);
  for (const operation of sequence)
    console.log(`  ${operation.name} ${show(operation.input).replaceAll('\n', '\n  ')}`);
  console.log(`embedded AWS:   ${show(embedded)}`);
  console.log(`DynamoDB Local: ${show(authority)}`);
}

const startedAt = Date.now();
const local = await startDynamoDbLocal();
try {
  console.log(
    `DynamoDB Local ${local.version}: ${operations} operations from seed ${seed}, ${lanes} sequences at once.`,
  );
  const found = await run(local.endpoint);
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(0);
  if (found) report(found);
  else console.log(`All answers were equal, in ${seconds} s, but for what is known to differ:`);
  for (const [why, times] of found ? [] : known) console.log(`${String(times).padStart(6)}  ${why}`);
  process.exitCode = found ? 1 : 0;
} finally {
  await local.stop();
}
