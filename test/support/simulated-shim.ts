import { ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import type { Spent } from '../../agent/drivers/driver.ts';
import { laterOf, overrun } from '../../agent/meter.ts';
import type {
  ClaimedTask,
  EnrollAnswer,
  FinishAnswer,
  Instructions,
  StandbyAnswer,
  StopAnswer,
} from '../../lib/http/schemas/runtime.ts';
import type { Timer } from '../../local/clock.ts';
import type {
  ContainerExit,
  ContainerRun,
  RunningContainer,
  TaskRun,
} from '../../local/services/ecs/container-runner.ts';
import type { InProcessStack } from './in-process-stack.ts';
import { Displaced, FenceLost, ShimApi } from './shim-api.ts';
import { type Outcome, outcomeOf, SimulatedAttempt } from './simulated-attempt.ts';
import { renewEveryMs, SimulatedEnrolment } from './simulated-enrolment.ts';
import type { SimulatedFleet } from './simulated-fleet.ts';
import { SimulatedWorkspace } from './simulated-workspace.ts';

/** What a simulated program does with a task: it answers, fails with a code, or takes its time. */
export type Program = (task: ClaimedTask, shim: SimulatedShim) => Promise<unknown> | unknown;

/** How long tasks may go on when the runtime's lifetime is over. */
const lifetimeGraceMs = 600_000;
/** Between two wishes to leave, as in the real shim. */
const leaveAgainMs = 15_000;
/** Between two claims for the same due time. */
const leastPauseMs = 100;
/** An idle shim claims this often, whatever its bell says. */
const claimEveryMs = 30_000;

/**
 * The shim's side of the runtime protocol, in this process and by the stack's clock: it enrols, claims, runs programs,
 * heartbeats, pauses when idle. The real shim is tested with real processes elsewhere.
 */
export class SimulatedShim implements RunningContainer {
  readonly exited: Promise<ContainerExit>;
  readonly taskArn: string;
  readonly runtimeId: string;
  /** Empty until an agent has taken it over. */
  agentId: string;
  alive = true;
  /** It has enrolled as a standby, and no agent has it. */
  isWaiting = false;
  /** Deaf: it hears no bell; mute: it says nothing any more. Both go on running. */
  deaf = false;
  mute = false;
  /** Tasks that it was told to end without grace. */
  readonly killed: string[] = [];
  /** Answers that bring tasks never reach it. */
  losesTasks = false;
  readonly running = new Map<string, SimulatedAttempt>();
  /** Fences that it has seen: an answer that comes again brings nothing new. */
  private readonly seen = new Set<string>();
  private readonly stack: InProcessStack;
  private readonly fleet: SimulatedFleet;
  private readonly api: ShimApi;
  private readonly identity: SimulatedEnrolment;
  private readonly environment: Record<string, string>;
  private exit: (exit: ContainerExit) => void = () => {};
  private enrolment: EnrollAnswer | undefined;
  private idleSinceMs = 0;
  private claimedMs = 0;
  private renewMs = 0;
  private alarm: Timer | undefined;
  private stopping = false;
  private workspace: SimulatedWorkspace | undefined;
  /** Of its agent. */
  private budget: Instructions['budget'];
  /** Why it takes nothing more. */
  private draining: 'requested' | 'lifetime' | undefined;

  constructor(stack: InProcessStack, fleet: SimulatedFleet, task: TaskRun, container: ContainerRun) {
    this.stack = stack;
    this.fleet = fleet;
    this.environment = container.environment;
    this.taskArn = task.taskArn;
    this.runtimeId = this.environment.ROUSE_RUNTIME_ID ?? '';
    this.agentId = this.environment.ROUSE_AGENT_ID ?? '';
    this.api = new ShimApi(stack, {
      fate: async (route) => fleet.network?.(this, route),
      get pause() {
        return fleet.pause && (async (tries: number) => fleet.pause?.(tries));
      },
      isUp: () => this.alive,
    });
    this.identity = new SimulatedEnrolment(stack, this.api, task, this.environment);
    this.exited = new Promise((resolve) => {
      this.exit = resolve;
    });
  }

  start(): void {
    this.background(() => this.live());
  }

  signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    if (signal === 'SIGKILL') this.die(137);
    else if (!this.mute && this.enrolment) this.background(() => this.leave('signal'));
    // A standby has nothing to save and nobody to tell.
    else if (!this.mute) this.die(0);
  }

  /** Ends the container as it is: nothing is said, nothing is saved. */
  die(exitCode: number, reason?: string): void {
    if (!this.alive) return;
    this.alive = false;
    this.alarm?.cancel();
    for (const id of [...this.running.keys()]) this.forget(id);
    this.exit({ exitCode, ...(reason === undefined ? {} : { reason }) });
  }

  private async live(): Promise<void> {
    const answer = await this.identity.enrol();
    if ('standby' in answer) this.standBy(answer);
    else await this.work(answer);
  }

  /** Enrols again when its bell rings and before its credentials expire, and asks every 30 s whether it should. */
  private standBy({ bell }: StandbyAnswer): void {
    this.isWaiting = true;
    let renewMs = this.now() + renewEveryMs;
    const again = async () => {
      if (!this.isWaiting || this.mute) return;
      const answer = await this.identity.enrol();
      renewMs = this.now() + renewEveryMs;
      if (!('standby' in answer) && this.isWaiting) await this.work(answer);
    };
    const ask = async () => {
      if (this.mute || !this.isWaiting) return;
      if (this.now() >= renewMs || (await this.post<{ taken: boolean }>('standby', {})).taken) await again();
      arm();
    };
    const arm = () => {
      if (this.alive && this.isWaiting) this.stack.clock.at(this.now() + claimEveryMs, () => this.background(ask));
    };
    this.listen(bell.queueUrl, again, () => !this.isWaiting);
    arm();
  }

  private async work(enrolment: EnrollAnswer): Promise<void> {
    this.enrolment = enrolment;
    this.isWaiting = false;
    this.agentId = enrolment.agent.id;
    this.workspace = new SimulatedWorkspace({
      enrolment: () => this.enrolment!,
      aws: this.stack.aws,
      post: (route, body) => this.post(route, body),
    });
    const damage = await this.workspace.restore();
    if (damage !== undefined) {
      await this.post('stop', { reason: 'workspace_failed', detail: damage });
      return this.die(1);
    }
    this.idleSinceMs = this.now();
    this.renewMs = this.now() + renewEveryMs;
    await this.claim();
    const onRing = async () => {
      if (!this.stopping) await this.claim();
    };
    this.listen(enrolment.bell.queueUrl, onRing, () => false);
  }

  private async claim(): Promise<void> {
    this.claimedMs = this.now();
    const running = [...this.running.values()].map(({ task }) => ({ taskId: task.id, fence: task.fence }));
    await this.obey(await this.post<Instructions>('claim', { slots: this.slots, running }));
  }

  private get slots(): number {
    if (this.draining || this.stopping) return 0;
    return Math.max(0, this.enrolment!.config.concurrency - this.running.size);
  }

  private async obey(instructions: Instructions): Promise<void> {
    if (!instructions.stop) this.budget = laterOf(this.budget, instructions.budget);
    if (instructions.activeUntil) this.idleSinceMs = Math.max(this.idleSinceMs, Date.parse(instructions.activeUntil));
    for (const { taskId, force } of instructions.cancel) {
      if (force) this.killed.push(taskId);
      this.cancel(taskId);
    }
    for (const task of this.losesTasks ? [] : instructions.tasks) this.perform(task);
    if (instructions.nextDueAt) {
      // The function's clock may be behind: what is due by this one may not be by that.
      const atMs = Math.max(Date.parse(instructions.nextDueAt), this.now() + leastPauseMs);
      this.stack.clock.at(atMs, () => this.background(() => this.claim()));
    }
    if (!instructions.stop) return;
    this.draining ??= 'requested';
    if (instructions.stop.force) await this.leave('requested');
    else if (this.running.size === 0) await this.leave('requested');
  }

  /** A program that takes its time is not activity: the clock may move while it runs. */
  private perform(task: ClaimedTask): void {
    const fence = `${task.id} ${task.fence}`;
    // What an answer brings to a shim that is leaving never begins: its goodbye gives it back.
    if (this.seen.has(fence) || this.stopping) return;
    this.seen.add(fence);
    const end = (outcome: Outcome) => {
      attempt.timeLimit?.cancel();
      if (this.alive && !this.mute && !attempt.cancelled && this.running.get(task.id) === attempt)
        this.background(() => this.finish(attempt, outcome));
    };
    const message = `It ran for more than ${task.timeoutSeconds} s.`;
    const attempt = new SimulatedAttempt(task, this.enrolment!.config.concurrency, this.now());
    attempt.timeLimit = this.stack.clock.at(this.now() + task.timeoutSeconds * 1000, () =>
      end({ route: 'fail', code: 'timed_out', message }),
    );
    this.running.set(task.id, attempt);
    this.fleet.onWork?.(this, task, 'begins');
    void outcomeOf(() => this.fleet.program(task, this)).then(end);
  }

  /** Nothing of the task runs here any more. */
  private forget(taskId: string): void {
    const attempt = this.running.get(taskId);
    if (!attempt) return;
    this.running.delete(taskId);
    attempt.timeLimit?.cancel();
    this.fleet.onWork?.(this, attempt.task, 'ends');
  }

  /** A program says what it has spent. */
  spend(taskId: string, spent: Partial<Spent>): void {
    const attempt = this.running.get(taskId);
    if (!attempt || attempt.cancelled || this.mute) return;
    attempt.meter.add({ input: 0, output: 0, costUsd: 0, ...spent });
    this.enforceBudgets(attempt);
  }

  /** Ends what has used more than it may; gives everything back when that is true of the agent. */
  private enforceBudgets(attempt: SimulatedAttempt): void {
    const excess = overrun(attempt.task.budget, [attempt.amounts(this.now())]);
    if (excess !== undefined) {
      attempt.cancelled = true;
      const message = `It has used ${excess}.`;
      this.background(() => this.finish(attempt, { route: 'fail', code: 'budget_exceeded', message }));
    }
    const running = [...this.running.values()].map((one) => one.amounts(this.now()));
    if (overrun(this.budget, running)) this.background(() => this.handBackAll('its agent has used its budget'));
  }

  private async finish(attempt: SimulatedAttempt, outcome: Outcome): Promise<void> {
    const { task } = attempt;
    const { route, ...rest } = outcome;
    const usage = attempt.usage(this.now());
    this.forget(task.id);
    this.idleSinceMs = this.now();
    try {
      const { fence, place } = task;
      const answer = await this.post<FinishAnswer>(`tasks/${task.id}/${route}`, {
        fence,
        place,
        ...('output' in rest ? await this.api.deliver(task, rest.output) : rest),
        usage,
        slots: this.slots,
      });
      await this.obey(answer.instructions);
    } catch (error) {
      if (!(error instanceof FenceLost)) throw error;
    }
    if (this.draining && this.running.size === 0 && !this.stopping) await this.leave(this.draining);
  }

  /** Cancelling a simulated program ends it at once. */
  private cancel(taskId: string): void {
    const attempt = this.running.get(taskId);
    if (!attempt || attempt.cancelled || this.mute) return;
    attempt.cancelled = true;
    this.background(() =>
      this.finish(attempt, { route: 'fail', code: 'cancelled', message: 'Its processes were ended.' }),
    );
  }

  async leave(reason: 'idle' | 'requested' | 'lifetime' | 'signal'): Promise<void> {
    if (this.stopping || !this.alive) return;
    this.stopping = true;
    await this.handBackAll('the runtime stops');
    const answer = await this.post<StopAnswer>('stop', { reason });
    if (answer.stop) return this.die(0);
    this.stopping = false;
    // Asked again later, not at once: the function's clock may see a lease for a moment longer.
    const { idleTimeoutSeconds } = this.enrolment!.config;
    this.idleSinceMs = Math.max(this.idleSinceMs, this.now() + leaveAgainMs - idleTimeoutSeconds * 1000);
    await this.obey(answer.instructions);
  }

  private async handBackAll(reason: string): Promise<void> {
    for (const attempt of [...this.running.values()]) {
      const { id, fence, place } = attempt.task;
      if (this.running.get(id) !== attempt) continue;
      const usage = attempt.usage(this.now());
      this.forget(id);
      try {
        const body = { fence, place, reason, usage, slots: 0 };
        await this.obey((await this.post<FinishAnswer>(`tasks/${id}/release`, body)).instructions);
      } catch (error) {
        if (!(error instanceof FenceLost)) throw error;
      }
    }
  }

  /** Saves a generation of one file in each pack of these names; new ones are uploaded. @returns its number */
  saveWorkspace(packs: string[]): Promise<number> {
    return this.workspace!.save(packs);
  }

  /** Names of the files of its workspace. */
  get files(): string[] {
    return this.workspace?.files ?? [];
  }

  /** One timer for all that the shim minds: credentials, heartbeats, its lifetime, and when nothing runs the next claim and the end of its idle time. */
  private arm(): void {
    this.alarm?.cancel();
    if (!this.alive || !this.enrolment || this.mute) return;
    const { idleTimeoutSeconds } = this.enrolment.config;
    const idle = [this.idleSinceMs + idleTimeoutSeconds * 1000, this.claimedMs + claimEveryMs];
    const beats = [...this.running.values()].map((attempt) => attempt.beatMs);
    const nextMs = Math.min(
      this.renewMs,
      this.lifetimeMs,
      ...beats,
      ...(this.running.size === 0 && !this.stopping ? idle : []),
    );
    this.alarm = this.stack.clock.at(nextMs, () => this.background(() => this.onAlarm()));
  }

  private async onAlarm(): Promise<void> {
    if (this.mute) return;
    if (this.now() >= this.renewMs) await this.renew();
    for (const attempt of this.running.values()) await this.beat(attempt);
    if (this.now() >= this.lifetimeMs && !this.stopping) {
      const isGraceOver = this.draining === 'lifetime';
      this.draining = 'lifetime';
      if (isGraceOver || this.running.size === 0) return this.leave('lifetime');
    }
    if (this.running.size > 0 || this.stopping) return;
    if (this.now() - this.idleSinceMs >= this.enrolment!.config.idleTimeoutSeconds * 1000) await this.leave('idle');
    else if (this.now() - this.claimedMs >= claimEveryMs) await this.claim();
  }

  /** The next moment at which the lifetime of this runtime changes something. */
  private get lifetimeMs(): number {
    const { runtime, config } = this.enrolment!;
    const graceMs = this.draining === 'lifetime' ? lifetimeGraceMs : 0;
    return Date.parse(runtime.startedAt) + config.maxLifetimeSeconds * 1000 + graceMs;
  }

  private async renew(): Promise<void> {
    this.renewMs = this.now() + renewEveryMs;
    this.enrolment = { ...this.enrolment!, ...(await this.identity.renew()) };
  }

  private async beat(attempt: SimulatedAttempt): Promise<void> {
    if (this.now() < attempt.beatMs) return;
    const { fence, place, id } = attempt.task;
    attempt.beatMs = this.now() + attempt.beatEveryMs;
    this.enforceBudgets(attempt);
    if (attempt.cancelled || !this.running.has(id)) return;
    try {
      const answer = await this.post<{ cancel: boolean }>(`tasks/${id}/heartbeat`, {
        fence,
        place,
        usage: attempt.usage(this.now()),
      });
      if (answer.cancel) this.cancel(id);
    } catch (error) {
      if (!(error instanceof FenceLost)) throw error;
      this.forget(id);
    }
  }

  /** Long polls; not counted as activity, like any wait. */
  private listen(QueueUrl: string, onRing: () => Promise<void>, isOver: () => boolean): void {
    const bell = this.identity.bell();
    const poll = async () => {
      while (this.alive && !this.deaf && !this.mute && !isOver()) {
        const answer = await bell.send(
          new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20, MaxNumberOfMessages: 10 }),
        );
        if (answer.Messages?.length && this.alive && !this.mute) this.background(onRing);
      }
    };
    // The queue is gone when the runtime has ended.
    poll().catch(() => {});
  }

  private background(work: () => Promise<void>): void {
    if (!this.alive) return;
    const done = work().catch((error) => {
      if (error instanceof Displaced) this.die(0);
      else if (this.alive && this.fleet.onError) this.fleet.onError(this, error);
      else if (this.alive) throw error;
    });
    void this.stack.aws.environment.activity.track(done.finally(() => this.arm()));
  }

  ask<T>(method: string, route: string, body?: unknown): Promise<T> {
    return this.api.ask(method, route, body);
  }

  /** One request to the runtime API, tried until there is an answer. */
  post<T>(route: string, body: unknown, idempotencyKey?: string): Promise<T> {
    return this.api.post(route, body, idempotencyKey);
  }

  private now(): number {
    return this.stack.clock.now();
  }
}
