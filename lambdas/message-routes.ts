import { listMessages, sendFromTask, sendMessage } from '../lib/app/messages.ts';
import type { KnownTask } from '../lib/app/tasks.ts';
import { messageView } from '../lib/http/message-views.ts';
import { bind, type Route } from '../lib/http/route.ts';
import * as routes from '../lib/http/routes/messages.ts';
import { taskSummaryView } from '../lib/http/views.ts';
import type { FunctionDeps } from './deps.ts';
import { causeOf } from './http.ts';
import { nextCursor, positionOf } from './paging.ts';
import { me } from './runtime-identity.ts';

const view = (known: KnownTask) => messageView(known, taskSummaryView(known));

/** Messages from outside, and what came of them. */
export function messageRoutes(deps: FunctionDeps): Route[] {
  return [
    bind(routes.sendMessage, async ({ params, body, context }) =>
      view(await sendMessage(deps, context.principal.tenant, params.id, context.seed, body, causeOf(context))),
    ),
    bind(routes.listMessages, async ({ params, query, context }) => {
      const { tenant } = context.principal;
      const page = await listMessages(deps, tenant, params.id, query.status, query.limit, positionOf(query.cursor));
      return { items: page.items.map(view), nextCursor: nextCursor(page.next) };
    }),
  ];
}

/** Messages of a task to other agents. */
export function sentMessageRoutes(deps: FunctionDeps): Route[] {
  return [
    bind(routes.sendFromTask, async ({ body, context }) => {
      const { taskId, fence, place, to, ...message } = body;
      const grip = { taskId, fence, place: Number(place) };
      const { principal, seed } = context;
      return view(await sendFromTask(deps, me(principal), grip, to, seed, message, causeOf(context)));
    }),
  ];
}
