import type { Random } from '../random.ts';
import type { Action } from './action.ts';

/** What a deployment may say of its tenants' limits. */
function limits(random: Random): Record<string, string> {
  const some = (from: number, count: number) => (random.chance(0.6) ? String(from + random.int(count)) : '');
  return {
    ROUSE_MAX_AGENTS: some(2, 8),
    ROUSE_MAX_RUNTIMES: some(1, 4),
    ROUSE_EVICT_IDLE: String(random.chance(0.5)),
    ROUSE_LAUNCHES_PER_SECOND: String(random.pick([1, 2, 20])),
  };
}

export const operatorActions: readonly Action[] = [
  { name: 'deploy', weight: 1.5, run: async ({ world }, { random }) => world.deploy(limits(random)) },
];
