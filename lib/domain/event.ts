/** Who did it. `id` is a key's id, an agent's, a schedule's, or the name of the part of the system. */
export interface Actor {
  type: 'key' | 'agent' | 'schedule' | 'system';
  id: string;
}

/** What a decision says has happened. Types are `noun.past_or_state`. */
export interface EventDraft {
  type: string;
  data?: Record<string, unknown>;
}

/** A fact on its way through the stream, carried by the row whose write it tells of. */
export interface CarriedEvent extends EventDraft {
  id: string;
  timeMs: number;
  actor: Actor;
  /** Id of the request or event that led to it. */
  cause: string;
}

/** A recorded fact. `seq` has no gaps within what it is of: an agent, a run, a schedule, or the pool of a template. */
export interface RecordedEvent extends CarriedEvent {
  seq: number;
  agentId?: string;
  taskId?: string;
  runId?: string;
  /** Name of a schedule. */
  schedule?: string;
  /** Name of a template whose warm pool it is about. */
  pool?: string;
  /** The reconciliation of the whole fleet. */
  fleet?: string;
  /** Version of the row that carried it: a row's versions have no gaps either. */
  rowVersion: number;
}
