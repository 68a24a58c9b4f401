import { expect, test } from 'vitest';
import type { z } from 'zod';
import * as schemas from '../../lib/http/schemas/runtime.ts';
import { startCloud, startShim } from './support/shim.ts';

const code = '01ARZ3NDEKTSV4RRFFQ69G5FAV';

const bodies: [RegExp, z.ZodType][] = [
  [/^enroll$/, schemas.enrollBody],
  [/^claim$/, schemas.claimBody],
  [/\/heartbeat$/, schemas.heartbeatBody],
  [/\/events$/, schemas.taskEventsBody],
  [/\/complete$/, schemas.completeBody],
  [/\/fail$/, schemas.failBody],
  [/\/release$/, schemas.releaseBody],
  [/^outputs\//, schemas.outputBody],
  [/^workspace$/, schemas.workspaceBody],
  [/^credentials$/, schemas.credentialsBody],
  [/^activity$/, schemas.activityBody],
  [/^stop$/, schemas.stopBody],
];

test('everything that the shim says fits the schemas of the runtime routes', async () => {
  const cloud = await startCloud();
  const [works, fails, hangs] = ['A', 'B', 'C'].map((letter) =>
    `tsk_01BX5ZZKBKACTAV9${letter}${code.slice(-8)}0`.slice(0, 30),
  );
  cloud.config.concurrency = 3;
  cloud.config.driver = {
    type: 'command',
    command: [
      'bash',
      '-c',
      'read -r what; echo $what | tee file; case $what in works) seq 1 30000;; fails) exit 1;; *) sleep 100;; esac',
    ],
  };
  cloud.lifeSeconds = 1.4;
  for (const [id, input] of [
    [works, 'works\n'],
    [fails, 'fails\n'],
    [hangs, 'hangs\n'],
  ]) {
    cloud.submit(id!, { input: input!, leaseSeconds: 1.5 });
  }
  const shim = startShim(cloud);
  await Promise.all(
    [`tasks/${works}/complete`, `tasks/${fails}/fail`, `tasks/${hangs}/heartbeat`, 'credentials'].map((route) =>
      cloud.called(route),
    ),
  );
  shim.terminate();
  await shim.exit;
  const unseen = new Set(bodies.map(([route]) => route.source));
  for (const { route, body } of cloud.calls) {
    const [pattern, schema] = bodies.find(([pattern]) => pattern.test(route)) ?? expect.fail(`${route} has no schema`);
    unseen.delete(pattern.source);
    expect(schema.safeParse(body).error, route).toBeUndefined();
  }
  expect([...unseen]).toEqual(['^activity$']);
});
