import type { Agent } from '../../../lib/domain/agent.ts';
import type { LiveTask } from '../../../lib/domain/task.ts';
import type { World } from '../world.ts';

type Usage = LiveTask['usedBefore'];

const tokensOf = (usage: Usage) => (usage?.inputTokens ?? 0) + (usage?.outputTokens ?? 0);

/** What tasks and agents may use: nothing is begun beyond it, and each attempt is counted once. */
export class BudgetBook {
  private readonly world: World;
  /** Tokens that the ended attempts of agents with a budget have used. */
  private readonly charged = new Map<string, number>();
  /** Tokens that programs have told their shims of. */
  private readonly told = new Map<string, number>();

  constructor(world: World) {
    this.world = world;
  }

  tell(taskId: string, tokens: number): void {
    this.told.set(taskId, (this.told.get(taskId) ?? 0) + tokens);
  }

  takeLive(before: LiveTask | undefined, after: LiveTask | undefined): void {
    if (!after || before?.status === after.status) return;
    if (after.status === 'running') this.checkBegin(after);
    if (before && 'charged' in before && before.charged && isEnd(before, after)) this.charge(before, after);
  }

  private checkBegin({ id, budget, usedBefore }: LiveTask): void {
    const { tokens = Number.POSITIVE_INFINITY, costUsd = Number.POSITIVE_INFINITY } = budget ?? {};
    if (tokensOf(usedBefore) >= tokens || (usedBefore?.costUsd ?? 0) >= costUsd)
      this.world.fail(`${id} was begun with ${JSON.stringify(usedBefore)} used of ${JSON.stringify(budget)}.`, id);
  }

  private charge(before: LiveTask, after: LiveTask): void {
    const all = 'outcome' in after ? after.outcome.usage : after.usedBefore;
    const tokens = tokensOf(all) - tokensOf(before.usedBefore);
    if (tokens < 0) this.world.fail(`${after.id} has used ${tokens} tokens less than before.`, after.id);
    this.charged.set(after.agentId, (this.charged.get(after.agentId) ?? 0) + tokens);
  }

  /** The count on a head is what its attempts add up to. */
  look(agents: Iterable<Agent>): void {
    for (const { id, usedTokens = 0 } of agents) {
      const charged = this.charged.get(id) ?? 0;
      if (usedTokens !== charged)
        this.world.fail(`The attempts of ${id} have used ${charged} tokens, and its head says ${usedTokens}.`, id);
    }
  }

  /** Nobody is charged with more than was spent. */
  checkEnd(taskId: string, usage: Usage): void {
    const told = this.told.get(taskId) ?? 0;
    if (tokensOf(usage) > told)
      this.world.fail(`${taskId} is said to have used ${tokensOf(usage)} tokens, and has spent ${told}.`, taskId);
  }
}

/** An attempt ends where its task stops being held. */
function isEnd(before: LiveTask, after: LiveTask): boolean {
  const isHeld = ({ status }: LiveTask) => status === 'running' || status === 'cancelling';
  return isHeld(before) && !isHeld(after);
}
