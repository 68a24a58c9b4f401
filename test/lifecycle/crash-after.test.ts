import { afterAll, beforeAll, expect, test } from 'vitest';
import { CrashedJobs } from './crash.ts';

let jobs: CrashedJobs;

beforeAll(async () => {
  jobs = await CrashedJobs.start();
});

afterAll(() => jobs.close());

test('the main job ends once, after whichever AWS call a function dies', async () => {
  const sites = await jobs.callSites();
  const functions = new Set(sites.map(({ name }) => name.split(' ')[0]));
  expect([...functions]).toEqual(expect.arrayContaining(['api', 'record', 'dispatch', 'launch', 'runtime']));
  expect(sites.length).toBeGreaterThan(50);
  const failures: string[] = [];
  for (const site of sites) {
    const failure = await jobs.crashAt(site, 'after');
    if (failure) failures.push(failure);
  }
  expect(failures).toEqual([]);
}, 300_000);
