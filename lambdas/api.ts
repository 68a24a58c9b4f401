import { leaseActivity } from '../lib/app/activity.ts';
import {
  archiveAgent,
  countTasks,
  createAgent,
  listAgents,
  patchAgent,
  pauseAgent,
  recoverAgent,
  restoreAgent,
  resumeAgent,
  terminateAgent,
} from '../lib/app/agents.ts';
import { existingAgent } from '../lib/app/commit.ts';
import { forkAgent } from '../lib/app/fork.ts';
import { listFiles, readFile } from '../lib/app/generation-files.ts';
import { listGenerations, rollBackAgent } from '../lib/app/generations.ts';
import { budgetOf } from '../lib/app/settings.ts';
import { cancelTask, listAgentTasks, listTasks, maxUploadBytes, retryTask, submitTask } from '../lib/app/tasks.ts';
import { deleteTemplate, getTemplate, listTemplates, putTemplate } from '../lib/app/templates.ts';
import type { Agent } from '../lib/domain/agent.ts';
import { idOf } from '../lib/domain/id.ts';
import { uploadObject } from '../lib/domain/object-key.ts';
import { openapiOf } from '../lib/http/openapi.ts';
import { bind, FileReply, type Route, reply } from '../lib/http/route.ts';
import * as agents from '../lib/http/routes/agents.ts';
import { contracts } from '../lib/http/routes/index.ts';
import * as service from '../lib/http/routes/service.ts';
import * as tasks from '../lib/http/routes/tasks.ts';
import * as templates from '../lib/http/routes/templates.ts';
import { encodeCursor } from '../lib/http/schemas/page.ts';
import {
  agentView,
  generationFileView,
  generationView,
  taskSummaryView,
  taskView,
  templateView,
} from '../lib/http/views.ts';
import { version } from '../lib/version.ts';
import { keyAuthentication } from './authenticate.ts';
import type { FunctionDeps } from './deps.ts';
import { causeOf, serve } from './http.ts';
import { messageRoutes } from './message-routes.ts';
import { wrapped } from './middleware.ts';
import { nextCursor, positionOf, urlSeconds } from './paging.ts';
import { scheduleRoutes } from './schedule-routes.ts';
import { runRoutes, workflowRoutes } from './workflow-routes.ts';

/** Everything of the HTTP API that neither waits nor belongs to a shim. */
export function makeHandler(deps: FunctionDeps) {
  const routes = [
    ...serviceRoutes(deps),
    ...templateRoutes(deps),
    ...agentRoutes(deps),
    ...taskRoutes(deps),
    ...messageRoutes(deps),
    ...scheduleRoutes(deps),
    ...workflowRoutes(deps),
    ...runRoutes(deps),
  ];
  return serve(deps, routes, keyAuthentication(deps));
}

function serviceRoutes(deps: FunctionDeps): Route[] {
  let document: Record<string, unknown> | undefined;
  return [
    bind(service.getHealth, async () => ({ status: 'ok', version })),
    bind(service.getOpenapi, async () => {
      document ??= openapiOf(contracts, { version, serverUrl: deps.config.apiUrl });
      return document;
    }),
  ];
}

function templateRoutes(deps: FunctionDeps): Route[] {
  return [
    bind(templates.putTemplate, async ({ params, body, context }) => {
      const { template, created } = await putTemplate(deps, context.principal.tenant, params.name, body);
      return reply(created ? 201 : 200, templateView(template));
    }),
    bind(templates.listTemplates, async ({ query, context }) => {
      const page = await listTemplates(deps, context.principal.tenant, query.limit, positionOf(query.cursor));
      return { items: page.items.map((version) => templateView(version)), nextCursor: nextCursor(page.next) };
    }),
    bind(templates.getTemplate, async ({ params, query, context }) => {
      const { tenant } = context.principal;
      const template = await getTemplate(deps, tenant, params.name, query.version);
      const pool =
        template.spec.warmPool > 0 ? await deps.pools.get(tenant, template.name, { strong: true }) : undefined;
      return templateView(template, pool);
    }),
    bind(templates.deleteTemplate, async ({ params, context }) => {
      await deleteTemplate(deps, context.principal.tenant, params.name);
      return reply(204, undefined);
    }),
  ];
}

function agentRoutes(deps: FunctionDeps): Route[] {
  const shown = async (agent: Agent) => {
    const runtime = agent.runtimeId ? await deps.runtimes.get(agent.tenant, agent.runtimeId) : undefined;
    return agentView(agent, await countTasks(deps, agent), await budgetOf(deps, agent), runtime);
  };
  const listed = async (agent: Agent) => agentView(agent, await countTasks(deps, agent), await budgetOf(deps, agent));
  return [
    bind(agents.createAgent, async ({ body, context }) => {
      const agent = await createAgent(deps, context.principal.tenant, context.seed, body, causeOf(context));
      return agentView(agent, { queued: 0, running: 0 }, await budgetOf(deps, agent));
    }),
    bind(agents.listAgents, async ({ query, context }) => {
      const { limit, cursor, ...filter } = query;
      const page = await listAgents(deps, context.principal.tenant, filter, limit, positionOf(cursor));
      const items = await Promise.all(page.items.map(listed));
      return { items, nextCursor: nextCursor(page.next) };
    }),
    bind(agents.getAgent, async ({ params, context }) =>
      shown(await existingAgent(deps, context.principal.tenant, params.id)),
    ),
    bind(agents.patchAgent, async ({ params, body, context }) =>
      shown(await patchAgent(deps, context.principal.tenant, params.id, body, causeOf(context))),
    ),
    bind(agents.deleteAgent, async ({ params, context }) =>
      shown(await terminateAgent(deps, context.principal.tenant, params.id, causeOf(context))),
    ),
    bind(agents.pauseAgent, async ({ params, body, context }) =>
      shown(await pauseAgent(deps, context.principal.tenant, params.id, body, causeOf(context))),
    ),
    bind(agents.resumeAgent, async ({ params, context }) =>
      shown(await resumeAgent(deps, context.principal.tenant, params.id, causeOf(context))),
    ),
    bind(agents.recoverAgent, async ({ params, context }) =>
      shown(await recoverAgent(deps, context.principal.tenant, params.id, causeOf(context))),
    ),
    bind(agents.keepActive, async ({ params, body, context }) =>
      shown(await leaseActivity(deps, context.principal.tenant, params.id, body.seconds, causeOf(context))),
    ),
    bind(agents.archiveAgent, async ({ params, context }) =>
      shown(await archiveAgent(deps, context.principal.tenant, params.id, causeOf(context))),
    ),
    bind(agents.restoreAgent, async ({ params, context }) =>
      shown(await restoreAgent(deps, context.principal.tenant, params.id, causeOf(context))),
    ),
    bind(agents.forkAgent, async ({ params, body, context }) =>
      shown(await forkAgent(deps, context.principal.tenant, params.id, context.seed, body, causeOf(context))),
    ),
    bind(agents.rollBackAgent, async ({ params, body, context }) =>
      shown(await rollBackAgent(deps, context.principal.tenant, params.id, body.generation, causeOf(context))),
    ),
    bind(agents.listGenerations, async ({ params, query, context }) => {
      const before = positionOf(query.cursor);
      const { agent, page } = await listGenerations(
        deps,
        context.principal.tenant,
        params.id,
        query.limit,
        before === undefined ? undefined : Number(before),
      );
      return {
        items: page.items.map((generation) => generationView(generation, agent)),
        nextCursor: nextCursor(page.next),
      };
    }),
    bind(agents.listGenerationFiles, async ({ params, query, context }) => {
      const { tenant } = context.principal;
      if (query.path !== undefined) {
        const bytes = await readFile(deps, tenant, params.id, params.generation, query.path);
        return new FileReply(bytes, query.path.split('/').at(-1)!);
      }
      const from = Number(query.cursor?.from ?? 0) || 0;
      const page = await listFiles(deps, tenant, params.id, params.generation, query.limit, from);
      return {
        items: page.items.map(generationFileView),
        nextCursor: page.next === undefined ? null : encodeCursor({ from: page.next }),
      };
    }),
  ];
}

function taskRoutes(deps: FunctionDeps): Route[] {
  const presign = (key: string) => deps.objects.presignGet(key, urlSeconds);
  return [
    bind(tasks.createTask, async ({ params, body, context }) => {
      const { notBefore, sessionId: _sessionId, onBusy, ...rest } = body;
      const notBeforeMs = notBefore === undefined ? undefined : Date.parse(notBefore);
      const command = {
        ...rest,
        notBeforeMs,
        onBusy: onBusy === 'reject' ? ('reject' as const) : ('enqueue' as const),
      };
      const known = await submitTask(
        deps,
        context.principal.tenant,
        params.id,
        context.seed,
        command,
        causeOf(context),
      );
      return taskView(known, presign);
    }),
    bind(tasks.listAgentTasks, async ({ params, query, context }) => {
      const { tenant } = context.principal;
      const page = await listAgentTasks(deps, tenant, params.id, query.status, query.limit, positionOf(query.cursor));
      return { items: page.items.map(taskSummaryView), nextCursor: nextCursor(page.next) };
    }),
    bind(tasks.listTasks, async ({ query, context }) => {
      const page = await listTasks(deps, context.principal.tenant, query.status, query.limit, positionOf(query.cursor));
      return { items: page.items.map(taskSummaryView), nextCursor: nextCursor(page.next) };
    }),
    bind(tasks.cancelTask, async ({ params, body, context }) =>
      taskView(await cancelTask(deps, context.principal.tenant, params.id, causeOf(context), body), presign),
    ),
    bind(tasks.retryTask, async ({ params, context }) =>
      taskView(await retryTask(deps, context.principal.tenant, params.id, context.seed, causeOf(context)), presign),
    ),
    bind(tasks.createUpload, async ({ context }) => {
      const ref = idOf('upload', context.seed);
      const url = await deps.objects.presignPut(uploadObject(context.principal.tenant, ref), urlSeconds);
      const expiresAt = new Date(context.nowMs + urlSeconds * 1000).toISOString();
      return { ref, url, headers: {}, maxBytes: maxUploadBytes, expiresAt };
    }),
  ];
}

export const handler = wrapped('api', makeHandler);
