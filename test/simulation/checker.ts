import { withUnpacked } from '../../lib/aws/free-json.ts';
import { runtimeOf } from '../../lib/aws/runner.ts';
import { type LiveTask, wakesNobody } from '../../lib/domain/task.ts';
import type { Scene } from './actions/action.ts';
import { Bounds } from './books/book.ts';
import type { Ledger } from './ledger.ts';
import { answerOf, type Work } from './programs.ts';
import { isFinal } from './transitions.ts';
import type { World } from './world.ts';

const minuteMs = 60_000;
/** Within this time an agent with work has a runtime, or says why not, also when much goes wrong. */
const startBoundMs = 15 * minuteMs;
/** Within this time an ECS task that belongs to no runtime is found and stopped, also when much goes wrong. */
const orphanBoundMs = 20 * minuteMs;

/** Looks at everything that there is, and compares it with what must be. */
export class Checker {
  private readonly world: World;
  private readonly ledger: Ledger;
  private readonly scene: Scene;
  private readonly bounds: Bounds;

  constructor(world: World, ledger: Ledger, scene: Scene) {
    this.world = world;
    this.ledger = ledger;
    this.scene = scene;
    this.bounds = new Bounds(world);
  }

  /** What must hold at any time, in bounds. */
  look(): void {
    const [refusal] = this.world.stack.aws.iam.refusals;
    if (refusal) this.world.fail(`Somebody reached for what is not theirs: ${refusal}`);
    this.lookForOrphans();
    this.lookForWaitingWork();
    this.ledger.schedules.look();
    this.ledger.room.look();
    this.ledger.budgets.look(this.ledger.agents.values());
  }

  /** Invariant 3: every ECS task of ours belongs to a runtime, or is stopped. */
  private lookForOrphans(): void {
    for (const task of this.world.stack.aws.ecs.allTasks()) {
      if (task.lastStatus === 'STOPPED') continue;
      const id = runtimeOf(task.startedBy)?.runtimeId ?? '';
      const runtime = this.ledger.runtimes.get(id);
      const agent = this.ledger.agents.get(String(runtime?.agentId));
      const isKept = agent?.runtimeId === id || agent?.retired.some((retired) => retired.id === id);
      const isStandby = runtime?.pool !== undefined && runtime.status !== 'ended' && !agent;
      const text = `The ECS task ${task.startedBy} belongs to nobody`;
      this.bounds.check(
        !isKept && !isStandby,
        `orphan ${task.taskArn}`,
        orphanBoundMs,
        text,
        ...(agent ? [agent.id] : []),
      );
    }
  }

  /** Invariant 4: an agent with work and no hold has a runtime, or says why not. */
  private lookForWaitingWork(): void {
    const nowMs = this.world.now();
    const waiting = new Set<string>();
    for (const task of this.ledger.live.values())
      if (task.status === 'queued' && task.notBeforeMs <= nowMs && !wakesNobody(task)) waiting.add(task.agentId);
    for (const [id, agent] of this.ledger.agents) {
      const idles = agent.status === 'paused' && !agent.held && agent.notBeforeMs === undefined;
      const text = `${id} has work and no runtime, and does not say why`;
      this.bounds.check(waiting.has(id) && idles, `waiting ${id}`, startBoundMs, text, id);
    }
  }

  /**
   * What is not final, and has no reason that a person would accept.
   *
   * @param isOver whether nothing may wait any more for what wakes it, or for an agent whose files are lost
   */
  unfinished(isOver: boolean): string[] {
    const lost = isOver ? this.lost() : [];
    const rests = (task: LiveTask) =>
      !isOver && wakesNobody(task) && this.ledger.agents.get(task.agentId)?.status === 'paused';
    const mayWait = (task: LiveTask) =>
      rests(task) || (this.waitsWithReason(task.agentId) && !lost.includes(task.agentId));
    const tasks = [...this.ledger.live.values()].filter((task) => !mayWait(task));
    // A run waits with reason for a person, for a task that waits with reason, and for a run that does either.
    const waits = this.ledger.live.size > tasks.length || this.ledger.runs.unfinished().some((run) => run.waits);
    const runs = waits ? [] : this.ledger.runs.unfinished();
    return [...tasks, ...runs].map(({ id }) => id);
  }

  private waitsWithReason(agentId: string): boolean {
    const agent = this.ledger.agents.get(agentId);
    return (
      agent !== undefined &&
      (agent.held || ((agent.status === 'error' || agent.status === 'archived') && !!agent.statusReason))
    );
  }

  /**
   * Agents that have no good generation of their files to go on from, after theirs or their source's were damaged:
   * nothing but their end helps. Who loses files otherwise is a violation like any work that does not end.
   */
  lost(): string[] {
    const { rotten } = this.world;
    const agents = [...this.ledger.agents.values()].filter(
      ({ id, forkOf, status, statusReason = '' }) =>
        status === 'error' &&
        statusReason.startsWith('its workspace could not be') &&
        (rotten.has(id) || (forkOf !== undefined && rotten.has(forkOf.agentId))),
    );
    return agents.map(({ id }) => id);
  }

  /** What runs or is under way, when nothing has anything to do any more. */
  async leftovers(): Promise<string[]> {
    const { stack } = this.world;
    const left = [...this.ledger.agents.values()]
      .filter((agent) => agent.runtimeId !== undefined || agent.retired.length > 0)
      .map((agent) => `${agent.id} is ${agent.status} with ${agent.runtimeId ?? agent.retired.map(({ id }) => id)}`);
    for (const task of stack.aws.ecs.allTasks())
      if (task.lastStatus !== 'STOPPED') left.push(`the ECS task ${task.startedBy} is ${task.lastStatus}`);
    for (const shim of stack.fleet.living) left.push(`the container of ${shim.runtimeId} runs`);
    for (const url of await stack.bells()) left.push(`the bell ${url.slice(url.lastIndexOf('rouse-bell-'))} is there`);
    left.push(...this.ledger.room.leftovers(), ...this.ledger.schedules.unfinished());
    for (const { id } of this.ledger.runs.unfinished()) left.push(`${id} is not over`);
    for (const { id, labels, status } of this.ledger.agents.values())
      if ((labels.run ?? labels.schedule) && status !== 'terminated')
        left.push(`${id}, made for ${labels.run ?? `schedule/${labels.schedule}`}, is ${status}`);
    return left;
  }

  /** Every task that was accepted has one end, and the one that its work deserves. */
  checkTasks(): void {
    for (const { id } of this.scene.accepted.values())
      if (!this.ledger.records.has(id) || !this.ledger.begun.has(id))
        this.world.fail(`${id} was accepted and is gone.`, id);
    for (const id of this.ledger.begun) {
      const record = this.ledger.records.get(id)!;
      if (!isFinal(record.status)) this.world.fail(`${id} was accepted and never ended.`, id);
      if (this.ledger.live.has(id)) this.world.fail(`${id} has ended, and is in the queue still.`, id);
      const { input, output, usage } = withUnpacked(record, ['input', 'output', 'usage']);
      this.ledger.budgets.checkEnd(id, usage as LiveTask['usedBefore']);
      const work = this.scene.accepted.get(id)?.work ?? (input as Work | undefined);
      if (record.status !== 'succeeded' || record.outputKey || work === undefined) continue;
      const expected = JSON.stringify(answerOf(work));
      if (JSON.stringify(output) !== expected)
        this.world.fail(`${id} answered ${JSON.stringify(output).slice(0, 200)} instead of ${expected}.`, id);
    }
    this.ledger.schedules.checkFires((id) => this.ledger.endOf(id));
  }
}
