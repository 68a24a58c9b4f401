import { codeOf, isId } from './id.ts';

/** What has a head row: a state of its own, a due time, and events in the order in which they happened. */
export const headKinds = ['agent', 'run', 'schedule', 'pool', 'fleet', 'room'] as const;
export type HeadKind = (typeof headKinds)[number];

/** Names one of them. A schedule's id is its name, a pool's that of its template; of fleets there is one. */
export interface HeadRef {
  tenant: string;
  kind: HeadKind;
  id: string;
}

export const agentHead = (tenant: string, id: string): HeadRef => ({ tenant, kind: 'agent', id });
/** What a tenant may run at once, and what waits for it. */
export const roomHead = (tenant: string): HeadRef => ({ tenant, kind: 'room', id: 'runtimes' });
export const poolHead = (tenant: string, template: string): HeadRef => ({ tenant, kind: 'pool', id: template });
export const runHead = (tenant: string, id: string): HeadRef => ({ tenant, kind: 'run', id });

export const scheduleHead = (tenant: string, name: string): HeadRef => ({ tenant, kind: 'schedule', id: name });

/** As the schemas of names allow them: nothing that a key or a group could not hold. */
const name = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** The head that something names, or undefined if it names none. */
export function headRefOf(value: { tenant?: unknown; kind?: unknown; id?: unknown }): HeadRef | undefined {
  const { tenant, kind, id } = value;
  if (typeof tenant !== 'string' || typeof id !== 'string') return undefined;
  if (!(headKinds as readonly unknown[]).includes(kind)) return undefined;
  const isKnown = kind === 'agent' || kind === 'run' ? isId(kind, id) : name.test(id);
  return isKnown ? { tenant, kind: kind as HeadKind, id } : undefined;
}

/** What is the same for all that lies in one partition: agents and runs are found by their code, the others by their name. */
export function partitionName({ kind, id }: HeadRef): string {
  return kind === 'agent' || kind === 'run' ? codeOf(id) : id;
}

/** A text that names a head among all of its tenant. Ids tell their kind by themselves. */
export function subjectOf({ kind, id }: HeadRef): string {
  return kind === 'agent' || kind === 'run' ? id : `${kind}/${id}`;
}
