import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { toAgent } from '../../lib/aws/agent-store.ts';
import { livePrefix, recordPrefix } from '../../lib/aws/keys.ts';
import type { Item } from '../../lib/aws/table.ts';
import { toLive } from '../../lib/aws/task-store.ts';
import type { Agent } from '../../lib/domain/agent.ts';
import type { CarriedEvent } from '../../lib/domain/event.ts';
import type { LiveTask } from '../../lib/domain/task.ts';
import type { StreamRecord } from '../../local/services/dynamodb/stream.ts';
import { checkHead, checkLive, checkRecord } from './transitions.ts';
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
  /** Records of tasks, by their ids. */
  readonly records = new Map<string, Item>();
  readonly runtimes = new Map<string, Item>();
  /** Events that every agent's log must have, in the order of their writes. */
  readonly expected = new Map<string, ExpectedEvent[]>();
  /** How often the rows of the state table were written. */
  writes = 0;
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
    const { dynamodb, lambda } = world.stack.aws;
    const table = lambda.definitions()[0]!.environment.ROUSE_STATE_TABLE;
    dynamodb.onStreamRecord((name, record) => {
      if (name === table) this.take(record);
    });
  }

  private take({ dynamodb: { Keys, NewImage, OldImage } }: StreamRecord): void {
    this.writes += 1;
    const pk = Keys.pk?.S ?? '';
    const sk = Keys.sk?.S ?? '';
    const before = itemOf(OldImage);
    const after = itemOf(NewImage);
    if (pk.includes('#agent#')) {
      if (sk === 'head') this.takeHead(toAgent(before), toAgent(after));
      else if (sk.startsWith(livePrefix)) this.takeLive(toLive(before), toLive(after));
      else if (sk.startsWith(recordPrefix)) this.takeRecord(before, after);
    }
    if (sk.startsWith('runtime#') && after) this.runtimes.set(String(after.id), after);
    if (after) this.expect(sk, before, after);
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
    const task = after ?? before!;
    if (after) this.live.set(task.id, after);
    else this.live.delete(task.id);
    if (before?.status === after?.status) return;
    const held = after && 'runtimeId' in after ? ` fence ${after.attempt} ${after.runtimeId}` : '';
    this.world.tell(`${task.id} ${before?.status ?? 'none'} → ${after?.status ?? 'settled'}${held}`);
  }

  private takeRecord(before: Item | undefined, after: Item | undefined): void {
    checkRecord(this.world, before, after);
    if (after) this.records.set(String(after.id), after);
  }

  /** A write with a new version carries the events of its transition. */
  private expect(sk: string, before: Item | undefined, after: Item): void {
    if (sk !== 'head' && !sk.startsWith(livePrefix)) return;
    if (after.version === undefined || before?.version === after.version) return;
    const agentId = String(after.agentId ?? after.id);
    const events = (after.events ?? []) as CarriedEvent[];
    const known = this.expected.get(agentId) ?? [];
    for (const { id, type } of events)
      known.push({ id, type, row: sk === 'head' ? 'head' : String(after.id), version: Number(after.version) });
    this.expected.set(agentId, known);
  }
}

function itemOf(image: unknown): Item | undefined {
  return image ? unmarshall(image as Record<string, AttributeValue>) : undefined;
}
