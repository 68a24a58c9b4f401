import { deleteOwnSchedule, listOwnSchedules, ownName, putOwnSchedule } from '../lib/app/schedules/own-schedules.ts';
import type { Schedule } from '../lib/domain/schedule.ts';
import type { RuntimePrincipal } from '../lib/http/principal.ts';
import { bind, type Route, reply } from '../lib/http/route.ts';
import * as routes from '../lib/http/routes/own-schedules.ts';
import { putCommand, scheduleView } from '../lib/http/schedule-views.ts';
import type { FunctionDeps } from './deps.ts';
import { causeOf } from './http.ts';
import { me } from './runtime-identity.ts';

/** Schedules that agents make for themselves. */
export function ownScheduleRoutes(deps: FunctionDeps): Route[] {
  return [
    bind(routes.putOwnSchedule, async ({ params, body, context }) => {
      const { task, ...rest } = body;
      const { principal, seed, nowMs } = context;
      const identity = me(principal);
      const command = putCommand(rest, { agentId: identity.agentId, task });
      const put = await putOwnSchedule(deps, identity, params.name, seed, command, causeOf(context));
      return reply(put.created ? 201 : 200, ownView(put.schedule, principal, nowMs));
    }),
    bind(routes.listOwnSchedules, async ({ context: { principal, nowMs } }) => {
      const found = await listOwnSchedules(deps, me(principal));
      return { items: found.map((schedule) => ownView(schedule, principal, nowMs)) };
    }),
    bind(routes.deleteOwnSchedule, async ({ params, context }) => {
      await deleteOwnSchedule(deps, me(context.principal), params.name, causeOf(context));
      return reply(204, undefined);
    }),
  ];
}

function ownView(schedule: Schedule, principal: RuntimePrincipal, nowMs: number) {
  return { ...scheduleView(schedule, nowMs), name: ownName(me(principal).agentId, schedule) };
}
