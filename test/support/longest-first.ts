import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take long, the longest first: what begins last should be short, since the others wait for its end. */
const long = [
  /\/e2e\//,
  /\/agent\/(lifecycle|module)\./,
  /\/lifecycle\/workflow-(crash|map)/,
  /\/lifecycle\/.*crash/,
  /\/lifecycle\/fork\./,
  /\/agent\//,
  /\/lifecycle\//,
];

/** Starts long files first. Those of one project stay together, since a worker serves one. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((one, two) => rank(one) - rank(two));
  }
}

function rank({ moduleId }: TestSpecification): number {
  const found = long.findIndex((pattern) => pattern.test(moduleId));
  return found < 0 ? long.length : found;
}
