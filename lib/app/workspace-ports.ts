import type { Page } from './ports.ts';

/** What the use cases need of saved workspaces. */

export interface Generation {
  number: number;
  parent: number | null;
  manifestKey: string;
  manifestSha256: string;
  bytes: number;
  files: number;
  /** Keys of the packs that it is made of; others may be made of them too. */
  packs: string[];
  runtimeId: string;
  createdMs: number;
  /** Why it could not be restored, and when that was. */
  damage?: { reason: string; foundMs: number } | undefined;
}

export interface Generations {
  put(tenant: string, agentId: string, generation: Generation): Promise<void>;
  /** Strongly consistent. */
  get(tenant: string, agentId: string, number: number): Promise<Generation | undefined>;
  /** All of them, oldest first, strongly consistent. */
  all(tenant: string, agentId: string): Promise<Generation[]>;
  /** Newest first. */
  page(tenant: string, agentId: string, limit: number, before: number | undefined): Promise<Page<Generation>>;
  /** Notes that one could not be restored; the first reason stays. */
  markDamaged(tenant: string, agentId: string, number: number, reason: string, nowMs: number): Promise<void>;
  delete(tenant: string, agentId: string, number: number): Promise<void>;
  /** Removes the rows of all of an agent's generations. */
  deleteAll(tenant: string, agentId: string): Promise<void>;
}

/** What generations' files lie in. */
export interface Packs {
  /** The content of one file of a pack; undefined when the pack or the file is not there. */
  read(key: string, path: string): Promise<Uint8Array | undefined>;
}
