import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { withUnpacked } from '../../lib/aws/free-json.ts';
import { runtimeOf } from '../../lib/aws/runner.ts';
import { agentObjects } from '../../lib/domain/object-key.ts';
import { localAdministrator } from '../../local/credentials.ts';
import type { Scene } from './actions.ts';
import type { Ledger } from './ledger.ts';
import { answerOf } from './programs.ts';
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
  private readonly s3: S3Client;
  /** Since when something has been as it should not stay. */
  private readonly since = new Map<string, number>();

  constructor(world: World, ledger: Ledger, scene: Scene) {
    this.world = world;
    this.ledger = ledger;
    this.scene = scene;
    const { aws } = world.stack;
    const requestHandler = aws.requestHandler();
    this.s3 = new S3Client({
      region: aws.region,
      credentials: localAdministrator,
      requestHandler,
      forcePathStyle: true,
    });
  }

  /** What must hold at any time, in bounds. */
  look(): void {
    const [refusal] = this.world.stack.aws.iam.refusals;
    if (refusal) this.world.fail(`Somebody reached for what is not theirs: ${refusal}`);
    this.lookForOrphans();
    this.lookForWaitingWork();
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
      this.bounded(!isKept && !isStandby, `orphan ${task.taskArn}`, orphanBoundMs, text, agent?.id);
    }
  }

  /** Invariant 4: an agent with work and no hold has a runtime, or says why not. */
  private lookForWaitingWork(): void {
    const nowMs = this.world.now();
    const waiting = new Set<string>();
    for (const task of this.ledger.live.values())
      if (task.status === 'queued' && task.notBeforeMs <= nowMs) waiting.add(task.agentId);
    for (const [id, agent] of this.ledger.agents) {
      const idles = agent.status === 'paused' && !agent.held && agent.notBeforeMs === undefined;
      const text = `${id} has work and no runtime, and does not say why`;
      this.bounded(waiting.has(id) && idles, `waiting ${id}`, startBoundMs, text, id);
    }
  }

  /** Something may be so for a while, but not for longer. */
  private bounded(isSo: boolean, name: string, boundMs: number, text: string, id: string | undefined): void {
    if (!isSo) {
      this.since.delete(name);
      return;
    }
    const sinceMs = this.since.get(name) ?? this.world.now();
    this.since.set(name, sinceMs);
    if (this.world.now() - sinceMs > boundMs)
      this.world.fail(
        `${text} for ${Math.round((this.world.now() - sinceMs) / minuteMs)} minutes.`,
        ...(id ? [id] : []),
      );
  }

  /** What is not final, and has no reason that a person would accept. */
  unfinished(): string[] {
    return [...this.ledger.live.values()].filter((task) => !this.waitsWithReason(task.agentId)).map((task) => task.id);
  }

  private waitsWithReason(agentId: string): boolean {
    const agent = this.ledger.agents.get(agentId);
    return (
      agent !== undefined &&
      (agent.held || ((agent.status === 'error' || agent.status === 'archived') && !!agent.statusReason))
    );
  }

  /** Agents that have or want a runtime, and what else there is of runtimes. */
  async leftovers(): Promise<string[]> {
    const { stack } = this.world;
    const left = [...this.ledger.agents.values()]
      .filter((agent) => agent.runtimeId !== undefined || agent.retired.length > 0)
      .map((agent) => `${agent.id} is ${agent.status} with ${agent.runtimeId ?? agent.retired.map(({ id }) => id)}`);
    for (const task of stack.aws.ecs.allTasks())
      if (task.lastStatus !== 'STOPPED') left.push(`the ECS task ${task.startedBy} is ${task.lastStatus}`);
    for (const shim of stack.fleet.living) left.push(`the container of ${shim.runtimeId} runs`);
    for (const url of await stack.bells()) left.push(`the bell ${url.slice(url.lastIndexOf('rouse-bell-'))} is there`);
    return left;
  }

  /** What is stored of agents that are terminated. */
  async files(): Promise<string[]> {
    const { stack } = this.world;
    const Bucket = stack.aws.lambda.definitions()[0]!.environment.ROUSE_BUCKET;
    const left: string[] = [];
    for (const { tenant, id, status } of this.ledger.agents.values()) {
      if (status !== 'terminated') continue;
      const { Contents } = await this.s3.send(new ListObjectsV2Command({ Bucket, Prefix: agentObjects(tenant, id) }));
      if (Contents?.length) left.push(`${Contents.length} objects of ${id}, such as ${Contents[0]?.Key}`);
    }
    return left;
  }

  /** Every task that was accepted has one end, and the one that its work deserves. */
  checkTasks(): void {
    for (const { id, work } of this.scene.accepted.values()) {
      const record = this.ledger.records.get(id);
      if (!record) {
        this.world.fail(`${id} was accepted and is gone.`, id);
        continue;
      }
      if (!isFinal(record.status)) this.world.fail(`${id} was accepted and never ended.`, id);
      if (this.ledger.live.has(id)) this.world.fail(`${id} has ended, and is in the queue still.`, id);
      if (record.status !== 'succeeded' || record.outputKey) continue;
      const output = JSON.stringify(withUnpacked({ output: record.output }, ['output']).output);
      const expected = JSON.stringify(answerOf(work));
      if (output !== expected) this.world.fail(`${id} answered ${output.slice(0, 200)} instead of ${expected}.`, id);
    }
  }
}
