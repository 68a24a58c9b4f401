import type { ApiClient } from '../api-client.ts';
import type { Random } from '../random.ts';
import type { Action, Scene } from './action.ts';

/** A specification that is often a new version. */
function templateOf(random: Random): Record<string, unknown> {
  return {
    driver: { type: 'command', command: ['true'] },
    idleTimeoutSeconds: random.pick([0, 5, 30, 60, 120]),
    concurrency: random.pick([1, 1, 1, 2, 5]),
    capacity: random.pick(['on-demand', 'on-demand', 'spot']),
    stopTimeoutSeconds: random.pick([2, 30, 120]),
    cancelGraceSeconds: random.pick([0, 10, 30]),
    task: {
      timeoutSeconds: random.pick([60, 120, 300]),
      heartbeatSeconds: random.pick([15, 30, 60]),
      retry: { initialSeconds: random.pick([1, 5]), nonRetryable: random.chance(0.3) ? ['exit_2'] : [] },
    },
    ...(random.chance(0.3) ? { budget: { tokens: 500 + random.int(3000) } } : {}),
    workspace: { keepGenerations: random.pick([1, 3]) },
    ...(random.chance(0.3) ? { warmPool: random.int(3) } : {}),
  };
}

export async function putTemplate(scene: Scene, api: ApiClient, random: Random, name: string): Promise<void> {
  await api.ask({ method: 'PUT', path: `/v1/templates/${name}`, body: templateOf(random) });
  if (!scene.templates.includes(name)) scene.templates.push(name);
}

/** One that nobody can use: its pool comes and goes. */
const spare = 'spare';

export const templateActions: readonly Action[] = [
  {
    name: 'template',
    weight: 1,
    run: async (scene, { api, random }) => putTemplate(scene, api, random, random.pick(scene.templates)),
  },
  {
    name: 'spare-template',
    weight: 0.5,
    run: (_, { api, random }) => api.ask({ method: 'PUT', path: `/v1/templates/${spare}`, body: templateOf(random) }),
  },
  {
    name: 'delete-template',
    weight: 1,
    run: ({ templates }, { api, random }) =>
      api.ask({ method: 'DELETE', path: `/v1/templates/${random.pick([...templates, spare, spare, 'missing'])}` }),
  },
];
