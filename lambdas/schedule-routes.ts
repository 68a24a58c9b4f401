import { existingSchedule } from '../lib/app/schedules/commit.ts';
import {
  backfillSchedule,
  deleteSchedule,
  listFires,
  pauseSchedule,
  putSchedule,
  resumeSchedule,
  triggerSchedule,
} from '../lib/app/schedules/schedules.ts';
import { bind, type Route, reply } from '../lib/http/route.ts';
import * as schedules from '../lib/http/routes/schedules.ts';
import { fireView, putCommand, scheduleView, targetOf } from '../lib/http/schedule-views.ts';
import type { FunctionDeps } from './deps.ts';
import { causeOf } from './http.ts';
import { nextCursor, positionOf } from './paging.ts';

/** Schedules for clients with a key. */
export function scheduleRoutes(deps: FunctionDeps): Route[] {
  return [
    bind(schedules.putSchedule, async ({ params, body, context }) => {
      const { principal, seed, nowMs } = context;
      const command = putCommand(body, targetOf(body.target));
      const put = await putSchedule(deps, principal.tenant, params.name, seed, command, causeOf(context));
      return reply(put.created ? 201 : 200, scheduleView(put.schedule, nowMs));
    }),
    bind(schedules.listSchedules, async ({ query, context }) => {
      const page = await deps.schedules.page(context.principal.tenant, query.limit, positionOf(query.cursor));
      return {
        items: page.items.map((schedule) => scheduleView(schedule, context.nowMs)),
        nextCursor: nextCursor(page.next),
      };
    }),
    bind(schedules.getSchedule, async ({ params, context }) =>
      scheduleView(await existingSchedule(deps, context.principal.tenant, params.name), context.nowMs),
    ),
    bind(schedules.deleteSchedule, async ({ params, context }) => {
      await deleteSchedule(deps, context.principal.tenant, params.name, causeOf(context));
      return reply(204, undefined);
    }),
    bind(schedules.pauseSchedule, async ({ params, body, context }) => {
      const { tenant } = context.principal;
      return scheduleView(await pauseSchedule(deps, tenant, params.name, body.note, causeOf(context)), context.nowMs);
    }),
    bind(schedules.resumeSchedule, async ({ params, body, context }) => {
      const { tenant } = context.principal;
      return scheduleView(await resumeSchedule(deps, tenant, params.name, body.note, causeOf(context)), context.nowMs);
    }),
    bind(schedules.triggerSchedule, async ({ params, body, context }) => {
      const { principal, seed } = context;
      const by = causeOf(context);
      const { fire } = await triggerSchedule(deps, principal.tenant, params.name, seed, body.overlap, by);
      return fireView(params.name, fire);
    }),
    bind(schedules.backfillSchedule, async ({ params, body, context }) => {
      const { principal, seed, nowMs } = context;
      const range = { fromMs: Date.parse(body.from), toMs: Date.parse(body.to), overlap: body.overlap };
      const by = causeOf(context);
      return scheduleView(await backfillSchedule(deps, principal.tenant, params.name, seed, range, by), nowMs);
    }),
    bind(schedules.listFires, async ({ params, query, context }) => {
      const { tenant } = context.principal;
      const page = await listFires(deps, tenant, params.name, query.limit, positionOf(query.cursor));
      return { items: page.items.map((fire) => fireView(params.name, fire)), nextCursor: nextCursor(page.next) };
    }),
  ];
}
