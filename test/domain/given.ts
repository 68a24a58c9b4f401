import { expect } from 'vitest';
import { IllegalTransition } from '../../lib/domain/agent-transition.ts';
import type { EventDraft } from '../../lib/domain/event.ts';

interface Versioned {
  version: number;
  status: string;
}

type Decision<S> = ({ agent: S } | { task: S }) & { events: EventDraft[] };

/** `given(state).when(command).becomes(change, event)`: what a transition changes, and that it changes nothing else. */
export function given<S extends Versioned>(state: S) {
  return {
    when(decide: (state: S) => Decision<Versioned>) {
      const before = structuredClone(state);
      const outcome = attempt(() => decide(state));
      expect(state, 'a decision leaves the state that it was given as it is').toEqual(before);
      return {
        becomes(change: object, ...events: EventDraft[]) {
          if (!('decision' in outcome)) throw outcome.error;
          const { decision } = outcome;
          expect(stateOf(decision)).toEqual({ ...before, version: before.version + 1, ...change });
          expect(decision.events).toEqual(events);
        },
        staysAsItIs() {
          if (!('decision' in outcome)) throw outcome.error;
          expect(stateOf(outcome.decision)).toBe(state);
          expect(outcome.decision.events).toEqual([]);
        },
        isRefused(allowed: readonly string[]) {
          const error = 'error' in outcome ? outcome.error : undefined;
          if (!(error instanceof IllegalTransition)) throw error ?? new Error(`${before.status} allows it.`);
          expect(error.status).toBe(before.status);
          expect(error.allowed).toEqual(allowed);
          expect(error.message).toContain(`An agent that is ${before.status} can't ${error.command}`);
          expect(error.message).toContain(allowed.join(' or '));
        },
      };
    },
  };
}

function stateOf(decision: Decision<Versioned>): Versioned {
  return 'agent' in decision ? decision.agent : decision.task;
}

function attempt<T>(decide: () => T): { decision: T } | { error: unknown } {
  try {
    return { decision: decide() };
  } catch (error) {
    return { error };
  }
}
