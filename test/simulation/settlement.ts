import type { Scene } from './actions/action.ts';
import type { Answer } from './api-client.ts';
import type { Checker } from './checker.ts';
import { checkEvents, untold } from './event-check.ts';
import { checkIdleness } from './idleness.ts';
import type { Ledger } from './ledger.ts';
import { Remains } from './remains.ts';
import type { World } from './world.ts';

const minuteMs = 60_000;
/** When nothing goes wrong any more, everything is final within this time: the longest wait is for a long program. */
const boundMs = 4 * 60 * minuteMs;
const shown = 5;
const seldom = 'rate(300 days)';

const noLimits = {
  ROUSE_MAX_AGENTS: '',
  ROUSE_MAX_RUNTIMES: '',
  ROUSE_EVICT_IDLE: 'false',
  ROUSE_LAUNCHES_PER_SECOND: '20',
};

/** The end of a simulation: nothing goes wrong any more, and everything has to come to its end. */
export class Settlement {
  private readonly world: World;
  private readonly ledger: Ledger;
  private readonly scene: Scene;
  private readonly checker: Checker;
  private readonly remains: Remains;
  /** Nobody answers the runs that wait for somebody: they are cancelled. */
  private isOver = false;

  constructor(world: World, ledger: Ledger, scene: Scene, checker: Checker) {
    this.world = world;
    this.ledger = ledger;
    this.scene = scene;
    this.checker = checker;
    this.remains = new Remains(world, ledger);
  }

  async run(): Promise<void> {
    const { world, checker } = this;
    world.tell('from now on nothing goes wrong');
    world.calm = true;
    world.deploy(noLimits);
    // Requests that clients are about to try again come before.
    await world.runUntil(world.now() + 3 * minuteMs);
    await this.untilNone('unfinished tasks and runs', () => checker.unfinished(this.isOver));
    await this.untilNone('alarms that are wrong', () => this.remains.alarms());
    this.release();
    await world.runUntil(world.now() + minuteMs);
    await this.untilNone('unfinished tasks and runs', () => checker.unfinished(this.isOver));
    await this.untilNone('leftovers', () => checker.leftovers());
    checker.look();
    checker.checkTasks();
    await this.untilNone('events that are not in the log', () => untold(world, this.ledger));
    await checkEvents(world, this.ledger);
    if (world.violation) throw world.violation;
    await this.removeAll();
  }

  /** Again and again: a program that runs still may make a schedule, and a fire that has waited may start a run. */
  private tidy(): void {
    this.slowDown();
    if (!this.isOver) return;
    for (const id of this.checker.lost()) this.ask(['DELETE', `/v1/agents/${id}`]);
    for (const { id, waits } of this.ledger.runs.unfinished()) if (waits) this.ask(['POST', `/v1/runs/${id}/cancel`]);
  }

  /** Schedules fire so seldom that all that they have started can end before the next time. */
  private slowDown(): void {
    for (const { id, status, definition, ownerAgentId } of this.ledger.schedules.heads.values()) {
      const { target, expression } = definition;
      if (status === 'deleted' || expression === seldom) continue;
      const rare = { expression: seldom, target, pauseOnFailure: false, enabled: true };
      this.ask(
        ownerAgentId === undefined
          ? ['PUT', `/v1/schedules/${id}`, { ...rare, overlap: definition.overlap }]
          : ['DELETE', `/v1/schedules/${id}`],
      );
    }
  }

  /** Ends what people have to end: budgets, holds, errors, archives, runs that wait for somebody; and warm pools. */
  private release(): void {
    for (const id of this.ledger.agents.keys())
      this.ask(
        ['PATCH', `/v1/agents/${id}`, { overrides: { budget: { tokens: 1e9 } } }],
        ...['restore', 'recover', 'resume'].map((verb): Ask => ['POST', `/v1/agents/${id}/${verb}`]),
      );
    this.isOver = true;
    const body = { driver: { type: 'command', command: ['true'] } };
    for (const name of this.ledger.pools.heads.keys()) this.ask(['PUT', `/v1/templates/${name}`, body]);
  }

  /** What is removed leaves nothing but its history. */
  private async removeAll(): Promise<void> {
    const { world, checker } = this;
    for (const id of this.ledger.agents.keys()) this.ask(['DELETE', `/v1/agents/${id}`]);
    for (const id of this.ledger.schedules.heads.keys()) this.ask(['DELETE', `/v1/schedules/${id}`]);
    for (const name of this.scene.workflows) this.ask(['DELETE', `/v1/workflows/${name}`]);
    await world.runUntil(world.now() + minuteMs);
    await this.untilNone('leftovers', () => checker.leftovers());
    for (const name of this.scene.templates) this.ask(['DELETE', `/v1/templates/${name}`]);
    await world.runUntil(world.now() + minuteMs);
    await this.untilNone('alarms', () => this.remains.alarms());
    await this.untilNone('objects', () => this.remains.objects());
    await this.untilNone('parameters', () => this.remains.parameters());
    await checkIdleness(world, this.ledger);
    await this.untilNone('leftovers', () => checker.leftovers());
    checker.look();
    if (world.violation) throw world.violation;
  }

  /** Asks one thing after the other; what makes no sense is refused. */
  private ask(...asks: Ask[]): void {
    const { api } = this.scene.customers[0]!;
    this.world.background(async () => {
      for (const [method, path, body] of asks) {
        const answer: Answer | undefined = await api.ask({ method, path, ...(body ? { body } : {}) });
        if (answer === undefined) this.world.fail(`${method} ${path} was not answered though nothing went wrong.`);
      }
    });
  }

  private async untilNone(what: string, find: () => string[] | Promise<string[]>): Promise<void> {
    const { world } = this;
    const untilMs = world.now() + boundMs;
    for (;;) {
      this.tidy();
      const found = await find();
      if (found.length === 0) return;
      if (world.now() >= untilMs) {
        const ids = found.flatMap((text) => text.match(/(agt|tsk|rt|run)_[0-9A-Z]{26}|schedule\/[\w.-]+/g) ?? []);
        const some = found.slice(0, shown).map((text) => `\n  ${text}`);
        const more = found.length > shown ? `\n  and ${found.length - shown} more` : '';
        world.fail(
          `After ${boundMs / 60 / minuteMs} hours in which nothing went wrong there are ${what}:${some.join('')}${more}`,
          ...ids.slice(0, shown),
        );
        throw world.violation;
      }
      await world.runUntil(world.now() + minuteMs);
    }
  }
}

type Ask = [method: string, path: string, body?: unknown];
