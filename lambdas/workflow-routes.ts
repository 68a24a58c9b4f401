import { answerApproval, cancelRun, listRuns, rerun, signalStep } from '../lib/app/runs/commands.ts';
import { deleteWorkflow, getWorkflow, listWorkflows, putWorkflow } from '../lib/app/runs/definitions.ts';
import { pictureOf } from '../lib/app/runs/picture.ts';
import { startRun } from '../lib/app/runs/start.ts';
import { idOf } from '../lib/domain/id.ts';
import type { Run } from '../lib/domain/run.ts';
import type { Definition } from '../lib/domain/workflow.ts';
import { bind, type Route, reply } from '../lib/http/route.ts';
import * as runs from '../lib/http/routes/runs.ts';
import * as workflows from '../lib/http/routes/workflows.ts';
import { runSummaryView, runView, workflowView } from '../lib/http/run-views.ts';
import type { FunctionDeps } from './deps.ts';
import { causeOf } from './http.ts';
import { nextCursor, positionOf, urlSeconds } from './paging.ts';

export function workflowRoutes(deps: FunctionDeps): Route[] {
  return [
    bind(workflows.putWorkflow, async ({ params, body, context }) => {
      const { tenant } = context.principal;
      const { workflow, created } = await putWorkflow(deps, tenant, params.name, body as Definition);
      return reply(created ? 201 : 200, workflowView(workflow));
    }),
    bind(workflows.listWorkflows, async ({ query, context }) => {
      const page = await listWorkflows(deps, context.principal.tenant, query.limit, positionOf(query.cursor));
      return { items: page.items.map(workflowView), nextCursor: nextCursor(page.next) };
    }),
    bind(workflows.getWorkflow, async ({ params, query, context }) =>
      workflowView(await getWorkflow(deps, context.principal.tenant, params.name, query.version)),
    ),
    bind(workflows.deleteWorkflow, async ({ params, context }) => {
      await deleteWorkflow(deps, context.principal.tenant, params.name);
      return reply(204, undefined);
    }),
  ];
}

export function runRoutes(deps: FunctionDeps): Route[] {
  const presign = (key: string) => deps.objects.presignGet(key, urlSeconds);
  const shown = async (run: Run) => runView(await pictureOf(deps, run), presign);
  return [
    bind(workflows.startRun, async ({ params, body, context }) => {
      const start = { id: idOf('run', context.seed), input: body.input ?? null };
      return shown(await startRun(deps, context.principal.tenant, params.name, start, causeOf(context)));
    }),
    bind(runs.listRuns, async ({ query, context }) => {
      const { limit, cursor, ...filter } = query;
      const page = await listRuns(deps, context.principal.tenant, filter, limit, positionOf(cursor));
      return { items: page.items.map(runSummaryView), nextCursor: nextCursor(page.next) };
    }),
    bind(runs.cancelRun, async ({ params, context }) =>
      shown(await cancelRun(deps, context.principal.tenant, params.id, causeOf(context))),
    ),
    bind(runs.rerun, async ({ params, body, context }) => {
      const start = { id: idOf('run', context.seed), fromStep: body.fromStep };
      return shown(await rerun(deps, context.principal.tenant, params.id, start, causeOf(context)));
    }),
    bind(runs.approveStep, async ({ params, body, context }) => {
      const given = { ...body, approved: true };
      const { tenant } = context.principal;
      return shown(await answerApproval(deps, tenant, params.id, params.step, given, causeOf(context)));
    }),
    bind(runs.rejectStep, async ({ params, body, context }) => {
      const given = { ...body, approved: false };
      const { tenant } = context.principal;
      return shown(await answerApproval(deps, tenant, params.id, params.step, given, causeOf(context)));
    }),
    bind(runs.signalStep, async ({ params, body, context }) => {
      const { tenant } = context.principal;
      return shown(await signalStep(deps, tenant, params.id, params.step, body, causeOf(context)));
    }),
  ];
}
