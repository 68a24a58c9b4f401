import { leaseByRuntime } from '../lib/app/activity.ts';
import { heartbeat, outputTarget, reportLines } from '../lib/app/attempt.ts';
import { claimTasks, type Instructions } from '../lib/app/claim.ts';
import { askStandby, enrolRuntime, renew } from '../lib/app/enrol.ts';
import { completeTask, type Finished, failTask, type Grip, releaseTask } from '../lib/app/finish-task.ts';
import { commitGeneration, reportDamage } from '../lib/app/generations.ts';
import { stopRuntime } from '../lib/app/stop-runtime.ts';
import { bind } from '../lib/http/route.ts';
import * as routes from '../lib/http/routes/runtime.ts';
import { enrolmentView, instructionsView, standbyView, workspacePointerView } from '../lib/http/views.ts';
import { tokenAuthentication, tokenKeyReader } from './authenticate.ts';
import type { FunctionDeps } from './deps.ts';
import { causeOf, serve } from './http.ts';
import { sentMessageRoutes } from './message-routes.ts';
import { wrapped } from './middleware.ts';
import { ownScheduleRoutes } from './own-schedule-routes.ts';
import { me } from './runtime-identity.ts';

/** A large input's URL must outlive the wait for a slot. */
const inputUrlSeconds = 3600;

const time = (ms: number) => new Date(ms).toISOString();

/**
 * The shim's routes. Every call may come twice; every call that touches a task carries its fence, and whoever has lost
 * it is told so.
 */
export function makeHandler(deps: FunctionDeps) {
  const tokenKey = tokenKeyReader(deps);
  const presign = (key: string) => deps.objects.presignGet(key, inputUrlSeconds);
  const instructed = (instructions: Instructions) => instructionsView(instructions, presign);
  const finished = async ({ status, instructions }: Finished) => ({
    status,
    instructions: await instructed(instructions),
  });
  return serve(
    deps,
    [
      bind(routes.enroll, async ({ body, context }) => {
        const enrolment = await enrolRuntime(deps, await tokenKey(), body, {
          actor: { type: 'agent', id: body.agentId ?? body.runtimeId },
          cause: context.requestId,
        });
        const places = { bellUrl: deps.queues.bellUrl(body.runtimeId), bucket: deps.config.bucket };
        return 'agent' in enrolment ? enrolmentView(enrolment, places) : standbyView(enrolment, places);
      }),
      bind(routes.askStandby, async ({ context }) => askStandby(deps, context.principal)),
      bind(routes.claim, async ({ body, context }) =>
        instructed(
          await claimTasks(deps, me(context.principal), body.slots, causeOf(context), { running: body.running }),
        ),
      ),
      bind(routes.heartbeat, async ({ params, body, context }) => {
        const { cancel, force, leaseUntilMs } = await heartbeat(
          deps,
          me(context.principal),
          grip(params.id, body),
          body,
        );
        return { cancel, force, leaseUntil: time(leaseUntilMs) };
      }),
      bind(routes.taskEvents, async ({ params, body, context }) => ({
        accepted: await reportLines(deps, me(context.principal), grip(params.id, body), body.lines, body.progress),
      })),
      bind(routes.completeTask, async ({ params, body, context }) =>
        finished(
          await completeTask(deps, me(context.principal), grip(params.id, body), body, body.slots, causeOf(context)),
        ),
      ),
      bind(routes.failTask, async ({ params, body, context }) =>
        finished(
          await failTask(deps, me(context.principal), grip(params.id, body), body, body.slots, causeOf(context)),
        ),
      ),
      bind(routes.releaseTask, async ({ params, body, context }) =>
        finished(
          await releaseTask(deps, me(context.principal), grip(params.id, body), body, body.slots, causeOf(context)),
        ),
      ),
      bind(routes.createOutput, async ({ params, body, context }) =>
        outputTarget(deps, me(context.principal), grip(params.id, body), body.what),
      ),
      bind(routes.saveWorkspace, async ({ body, context }) => {
        await commitGeneration(deps, me(context.principal), body, causeOf(context));
        return { generation: body.generation };
      }),
      bind(routes.reportDamage, async ({ body, context }) => {
        const agent = await reportDamage(deps, me(context.principal), body, causeOf(context));
        return { workspace: agent ? workspacePointerView(agent) : null };
      }),
      bind(routes.renewCredentials, async ({ body, context }) => {
        const { token, tokenExpiresMs, credentials } = await renew(
          deps,
          await tokenKey(),
          context.principal,
          body.nonce,
        );
        return { token, tokenExpiresAt: time(tokenExpiresMs), credentials };
      }),
      bind(routes.keepActive, async ({ body, context }) => ({
        until: time(await leaseByRuntime(deps, me(context.principal), body.seconds, causeOf(context))),
      })),
      bind(routes.stopRuntime, async ({ body, context }) => {
        const { stop, instructions } = await stopRuntime(
          deps,
          me(context.principal),
          body.reason,
          body.detail,
          causeOf(context),
        );
        return { stop, instructions: await instructed(instructions) };
      }),
      ...ownScheduleRoutes(deps),
      ...sentMessageRoutes(deps),
    ],
    tokenAuthentication(tokenKey),
  );
}

/** @throws RouseError unauthorized for a standby: nothing of any agent is its own. */
function grip(taskId: string, { fence, place }: { fence: number; place: string }): Grip {
  return { taskId, fence, place: Number(place) };
}

export const handler = wrapped('runtime', makeHandler);
