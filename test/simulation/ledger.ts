import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { toAgent } from '../../lib/aws/agent-store.ts';
import { kindOfPartition, livePrefix, recordPrefix } from '../../lib/aws/keys.ts';
import type { Item } from '../../lib/aws/table.ts';
import { toLive } from '../../lib/aws/task-store.ts';
import type { Agent } from '../../lib/domain/agent.ts';
import type { CarriedEvent } from '../../lib/domain/event.ts';
import { type HeadKind, headKinds, subjectOf } from '../../lib/domain/head.ts';
import { isOver } from '../../lib/domain/run.ts';
import type { LiveTask } from '../../lib/domain/task.ts';
import type { StreamRecord } from '../../local/services/dynamodb/stream.ts';
import type { Book } from './books/book.ts';
import { BudgetBook } from './books/budgets.ts';
import { PoolBook } from './books/pools.ts';
import { RoomBook } from './books/room.ts';
import { RunBook } from './books/runs.ts';
import { ScheduleBook } from './books/schedules.ts';
import { checkHead, checkLive, checkRecord, isFinal } from './transitions.ts';
import type { World } from './world.ts';

/** An event that a write carried: exactly one of the log must be this one. */
export interface ExpectedEvent {
  id: string;
  type: string;
  row: string;
  version: number;
}

/** What the state table holds, kept beside it from its stream, with each write checked as it happens. */
export class Ledger {
  readonly agents = new Map<string, Agent>();
  /** Live rows of unfinished tasks, by their ids. */
  readonly live = new Map<string, LiveTask>();
  /** Tasks that were ever in a queue: the others were not accepted, since their submission was cut off. */
  readonly begun = new Set<string>();
  /** Records of tasks, by their ids. */
  readonly records = new Map<string, Item>();
  readonly runtimes = new Map<string, Item>();
  readonly schedules: ScheduleBook;
  readonly runs: RunBook;
  readonly pools: PoolBook;
  readonly room: RoomBook;
  readonly budgets: BudgetBook;
  /** Events that the log of each subject must have, in the order of their writes. */
  readonly expected = new Map<string, ExpectedEvent[]>();
  /** How often the rows of the state table were written. */
  writes = 0;
  private readonly world: World;
  private readonly books: Partial<Record<HeadKind, Book>>;

  constructor(world: World) {
    this.world = world;
    this.schedules = new ScheduleBook(world);
    this.runs = new RunBook(world, (id) => this.isUnderWay(id));
    this.pools = new PoolBook(world);
    this.room = new RoomBook(world);
    this.budgets = new BudgetBook(world);
    this.books = { schedule: this.schedules, run: this.runs, pool: this.pools, room: this.room };
    const { dynamodb, lambda } = world.stack.aws;
    const table = lambda.definitions()[0]!.environment.ROUSE_STATE_TABLE;
    dynamodb.onStreamRecord((name, record) => {
      if (name !== table) return;
      try {
        this.take(record);
      } catch (error) {
        world.fail(`A row is not what it should be: ${error instanceof Error ? error.stack : error}`);
      }
    });
  }

  /** The final status of a task or run. */
  endOf(id: string): string | undefined {
    const status = this.runs.heads.get(id)?.status ?? this.records.get(id)?.status;
    return status === undefined ? undefined : String(status);
  }

  private isUnderWay(id: string): boolean {
    const run = this.runs.heads.get(id);
    if (run) return !isOver(run);
    const live = this.live.get(id);
    return live !== undefined && !isFinal(live.status) && !isFinal(this.records.get(id)?.status);
  }

  private take({ dynamodb: { Keys, NewImage, OldImage } }: StreamRecord): void {
    this.writes += 1;
    const sk = Keys.sk?.S ?? '';
    const before = itemOf(OldImage);
    const after = itemOf(NewImage);
    const kind = kindOfPartition(Keys.pk?.S ?? '');
    if (!kind || !headKinds.includes(kind)) return;
    if (kind === 'agent') this.takeOfAgent(sk, before, after);
    else this.books[kind]?.take({ sk, before, after });
    if (sk.startsWith('runtime#') && after) this.takeRuntime(before, after);
    if (after) this.expect(kind, sk, before, after);
  }

  private takeOfAgent(sk: string, before: Item | undefined, after: Item | undefined): void {
    if (sk === 'head') this.takeHead(toAgent(before), toAgent(after));
    else if (sk.startsWith(livePrefix)) this.takeLive(toLive(before), toLive(after));
    else if (sk.startsWith(recordPrefix)) this.takeRecord(before, after);
  }

  private takeRuntime(before: Item | undefined, after: Item): void {
    this.runtimes.set(String(after.id), after);
    this.pools.takeRuntime(before, after);
  }

  private takeHead(before: Agent | undefined, after: Agent | undefined): void {
    checkHead(this.world, before, after);
    if (!after) return;
    this.agents.set(after.id, after);
    if (before?.status === after.status && before.runtimeId === after.runtimeId) return;
    const reason = after.statusReason ? ` (${after.statusReason})` : '';
    this.world.tell(`${after.id} ${before?.status ?? 'none'} → ${after.status} ${after.runtimeId ?? ''}${reason}`);
  }

  private takeLive(before: LiveTask | undefined, after: LiveTask | undefined): void {
    checkLive(this.world, before, after, this);
    this.budgets.takeLive(before, after);
    const task = after ?? before!;
    this.begun.add(task.id);
    if (after) this.live.set(task.id, after);
    else this.live.delete(task.id);
    if (before?.status === after?.status) return;
    const held = after && 'runtimeId' in after ? ` fence ${after.attempt} ${after.runtimeId}` : '';
    this.world.tell(`${task.id} ${before?.status ?? 'none'} → ${after?.status ?? 'settled'}${held}`);
  }

  private takeRecord(before: Item | undefined, after: Item | undefined): void {
    checkRecord(this.world, before, after);
    if (!after) return;
    this.records.set(String(after.id), after);
    if (!before) this.runs.takeRecord(after);
  }

  /** A write with a new version carries the events of its transition. */
  private expect(kind: HeadKind, sk: string, before: Item | undefined, after: Item): void {
    if (sk !== 'head' && !sk.startsWith(livePrefix)) return;
    if (after.version === undefined || before?.version === after.version) return;
    const id = String(after.agentId ?? after.id);
    const subject = subjectOf({ tenant: String(after.tenant), kind, id: kind === 'agent' ? id : String(after.id) });
    const events = (after.events ?? []) as CarriedEvent[];
    const known = this.expected.get(subject) ?? [];
    for (const { id, type } of events)
      known.push({ id, type, row: sk === 'head' ? 'head' : String(after.id), version: Number(after.version) });
    if (known.length > 0) this.expected.set(subject, known);
  }
}

function itemOf(image: unknown): Item | undefined {
  return image ? unmarshall(image as Record<string, AttributeValue>) : undefined;
}
