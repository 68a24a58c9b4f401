import { existingAgent } from '../lib/app/commit.ts';
import { existingRun } from '../lib/app/runs/commands.ts';
import { pictureOf } from '../lib/app/runs/picture.ts';
import { getTask } from '../lib/app/tasks.ts';
import { poll } from '../lib/app/wait.ts';
import { withReason } from '../lib/app/waiting-task.ts';
import { invalid } from '../lib/domain/errors.ts';
import type { RecordedEvent } from '../lib/domain/event.ts';
import { agentHead, type HeadRef, scheduleHead, subjectOf } from '../lib/domain/head.ts';
import { isOver } from '../lib/domain/run.ts';
import { bind } from '../lib/http/route.ts';
import { listEvents, listLogs } from '../lib/http/routes/feeds.ts';
import { getRun as getRunContract } from '../lib/http/routes/runs.ts';
import { getTask as getTaskContract } from '../lib/http/routes/tasks.ts';
import { runView } from '../lib/http/run-views.ts';
import { type Cursor, encodeCursor } from '../lib/http/schemas/page.ts';
import { eventView, logLineView, taskView } from '../lib/http/views.ts';
import { keyAuthentication } from './authenticate.ts';
import type { FunctionDeps } from './deps.ts';
import { serve } from './http.ts';
import { wrapped } from './middleware.ts';
import { urlSeconds } from './paging.ts';

/** A filter reads this many pages of events for one answer at most; the cursor goes on from there. */
const pagesPerAnswer = 10;

/** Reads that may wait for something new, apart from all else so that waiting readers starve nobody. */
export function makeHandler(deps: FunctionDeps) {
  const task = bind(getTaskContract, async ({ params, query, context }) => {
    const known = await poll(
      deps,
      query.waitSeconds,
      () => getTask(deps, context.principal.tenant, params.id),
      ({ record }) => record.status !== undefined,
    );
    return taskView(await withReason(deps, known), (key) => deps.objects.presignGet(key, urlSeconds));
  });

  const events = bind(listEvents, async ({ query, context }) => {
    const { tenant } = context.principal;
    // A task's events are among its agent's.
    const agentId =
      query.agentId ?? (query.taskId ? (await getTask(deps, tenant, query.taskId)).record.agentId : undefined);
    const matches = (event: RecordedEvent) =>
      (query.taskId === undefined || event.taskId === query.taskId) &&
      (query.runId === undefined || event.runId === query.runId) &&
      (query.schedule === undefined || event.schedule === query.schedule) &&
      (query.type.length === 0 || query.type.includes(event.type));
    const head = headOf(tenant, { ...query, agentId });
    const feed = `events/${head ? subjectOf(head) : 'all'}`;
    let position = positionOf(query.after, feed);
    const read = async () => {
      const items: RecordedEvent[] = [];
      for (let pages = 0; pages < pagesPerAnswer && items.length === 0; pages++) {
        const request = { limit: query.limit, after: position };
        const page = head
          ? await deps.events.of(head, request)
          : await deps.events.ofTenant(tenant, request, deps.now());
        items.push(...page.items.filter(matches));
        position = page.cursor;
        if (page.next === undefined) break;
      }
      return items;
    };
    const items = await poll(deps, query.waitSeconds, read, (found) => found.length > 0);
    return { items: items.map(eventView), nextCursor: cursorOf(position, feed) };
  });

  const logs = bind(listLogs, async ({ params, query, context }) => {
    const agent = await existingAgent(deps, context.principal.tenant, params.id);
    const feed = `lines/${agent.id}`;
    let position = positionOf(query.after, feed);
    const read = async () => {
      const page = await deps.taskLogs.page(agent.tenant, agent.id, {
        taskId: query.taskId,
        limit: query.limit,
        after: position,
      });
      position = page.cursor;
      return page.items;
    };
    const items = await poll(deps, query.waitSeconds, read, (found) => found.length > 0);
    return { items: items.map(logLineView), nextCursor: cursorOf(position, feed) };
  });

  const run = bind(getRunContract, async ({ params, query, context }) => {
    const found = await poll(
      deps,
      query.waitSeconds,
      () => existingRun(deps, context.principal.tenant, params.id),
      (run) => isOver(run),
    );
    return runView(await pictureOf(deps, found), (key) => deps.objects.presignGet(key, urlSeconds));
  });

  return serve(deps, [task, events, logs, run], keyAuthentication(deps));
}

interface Owners {
  agentId?: string | undefined;
  runId?: string | undefined;
  schedule?: string | undefined;
}

/** Whose log holds what is asked for, or undefined for that of all. */
function headOf(tenant: string, { agentId, runId, schedule }: Owners): HeadRef | undefined {
  if (agentId !== undefined) return agentHead(tenant, agentId);
  if (runId !== undefined) return { tenant, kind: 'run', id: runId };
  return schedule === undefined ? undefined : scheduleHead(tenant, schedule);
}

/** A position means something in its own feed only: in another one a client would wait for ever, or miss what it wants. */
function positionOf(cursor: Cursor | undefined, feed: string): string | undefined {
  if (cursor === undefined) return undefined;
  if (cursor.feed !== feed)
    throw invalid('after', `Received a cursor of another feed; only a nextCursor of ${feed} is allowed.`);
  return cursor.after === undefined ? undefined : String(cursor.after);
}

/** A feed always has a cursor, to go on later. */
function cursorOf(position: string | undefined, feed: string): string {
  return encodeCursor(position === undefined ? { feed } : { feed, after: position });
}

export const handler = wrapped('wait', makeHandler);
