import { overlapPolicies } from '../../../lib/domain/schedule.ts';
import { repeatableWork } from '../programs.ts';
import type { Random } from '../random.ts';
import type { Action, Owner, Scene } from './action.ts';

const minuteMs = 60_000;

const iso = (timeMs: number) => new Date(timeMs).toISOString();

function timing(random: Random, nowMs: number): Record<string, unknown> {
  if (random.chance(0.15))
    return { expression: `at(${iso(nowMs + random.between(0.2, 8) * minuteMs).slice(0, 19)})`, timezone: 'UTC' };
  const expression = random.pick(['rate(1 minute)', 'rate(2 minutes)', 'rate(5 minutes)', 'cron(0/2 * * * ? *)']);
  return {
    expression,
    timezone: random.pick(['UTC', 'Europe/Berlin', 'America/St_Johns']),
    ...(random.chance(0.2) ? { startAt: iso(nowMs + random.between(-5, 5) * minuteMs) } : {}),
    ...(random.chance(0.2) ? { endAt: iso(nowMs + random.between(6, 15) * minuteMs) } : {}),
    ...(random.chance(0.2) ? { jitterSeconds: random.int(90) } : {}),
  };
}

function target({ workflows, templates, nextNumber }: Scene, { random, agentId }: Owner): Record<string, unknown> {
  const isRun = workflows.length > 0 && random.chance(0.25);
  if (isRun) return { workflow: random.pick(workflows), input: { at: '{% $fire.scheduledTime %}' } };
  const work = repeatableWork(random, nextNumber());
  const task = {
    input: random.chance(0.3) ? { ...work, last: '{% $fire.lastOutput %}' } : work,
    ...(random.chance(0.2) ? { expiresInSeconds: 30 + random.int(300) } : {}),
    ...(random.chance(0.2) ? { timeoutSeconds: 5 + random.int(100) } : {}),
  };
  return random.chance(0.3) ? { template: random.pick(templates), task } : { agentId, task };
}

async function putSchedule(scene: Scene, customer: Owner): Promise<void> {
  const { api, random, number, schedules } = customer;
  const name = `every-${number}-${random.int(2)}`;
  const body = {
    ...timing(random, scene.world.now()),
    target: target(scene, customer),
    overlap: random.pick(overlapPolicies),
    catchupWindowSeconds: random.pick([60, 300, 86_400]),
    pauseOnFailure: random.chance(0.2),
    ...(random.chance(0.15) ? { enabled: random.chance(0.5) } : {}),
    ...(random.chance(0.2) ? { note: `note ${random.int(9)}` } : {}),
  };
  const answer = await api.ask({ method: 'PUT', path: `/v1/schedules/${name}`, body });
  if (answer && answer.status < 300 && !schedules.includes(name)) schedules.push(name);
}

/** A request about one of the customer's schedules; before there is one, it is made. */
function about(
  name: string,
  weight: number,
  ask: (random: Random, nowMs: number) => [string, string, unknown],
): Action {
  return {
    name,
    weight,
    run: async (scene, customer) => {
      const { api, random, schedules } = customer;
      if (schedules.length === 0) return putSchedule(scene, customer);
      const [method, verb, body] = ask(random, scene.world.now());
      const path = `/v1/schedules/${random.pick(schedules)}${verb}`;
      return api.ask({ method, path, ...(body === undefined ? {} : { body }) });
    },
  };
}

function backfill(random: Random, nowMs: number): [string, string, unknown] {
  const fromMs = nowMs - random.between(0, 12) * minuteMs;
  const toMs = Math.min(nowMs - 1, fromMs + random.between(0, 8) * minuteMs);
  const overlap = random.chance(0.7) ? { overlap: random.pick(['buffer_all', 'allow_all', 'skip']) } : {};
  return ['POST', '/backfill', { from: iso(Math.min(fromMs, toMs)), to: iso(toMs), ...overlap }];
}

export const scheduleActions: readonly Action[] = [
  { name: 'schedule', weight: 4, run: putSchedule },
  about('pause-schedule', 1, () => ['POST', '/pause', {}]),
  about('resume-schedule', 1.5, () => ['POST', '/resume', { note: 'on we go' }]),
  about('trigger', 3, (random) => [
    'POST',
    '/trigger',
    random.chance(0.5) ? { overlap: random.pick(overlapPolicies) } : {},
  ]),
  about('backfill', 1.5, backfill),
  about('delete-schedule', 0.7, () => ['DELETE', '', undefined]),
];
