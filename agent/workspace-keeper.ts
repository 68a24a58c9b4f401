import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { RuntimeConfig } from './protocol.ts';
import type { Workspace } from './workspace/workspace.ts';

/**
 * Decides when the workspace is saved, and keeps saves and tasks apart: a save waits for no task and starts only when
 * none runs, a task waits for the save under way.
 */
export interface WorkspaceKeeper {
  /** Resolves when a task may touch the files; the answer is to be called when its processes are gone. */
  enter(): Promise<() => void>;
  /** Before a task completes: saves if the template says so, nothing runs and the interval has passed. Never rejects. */
  saveAfterTask(): Promise<void>;
  /** When a save that the interval put off is due, in milliseconds since the epoch; null if nothing waits. */
  dueAt(): number | null;
  /** Saves whatever the interval says. Throws where it fails; then the changes are still unsaved. */
  saveNow(signal?: AbortSignal): Promise<void>;
}

export function makeWorkspaceKeeper(
  workspace: Workspace,
  config: RuntimeConfig['workspace'],
  clock: Clock,
  log: Log,
): WorkspaceKeeper {
  let active = 0;
  let dirty = false;
  let triedAt = Number.NEGATIVE_INFINITY;
  let saving: Promise<void> | null = null;

  async function save(signal?: AbortSignal): Promise<void> {
    const startedAt = clock.now();
    triedAt = startedAt;
    const report = await workspace.save(signal);
    dirty = false;
    if (report === null) return;
    const { generation, files, bytes } = report;
    log.info('workspace saved', { generation, files, bytes, milliseconds: clock.now() - startedAt });
  }

  async function saveNow(signal?: AbortSignal): Promise<void> {
    while (saving !== null) await saving.catch(() => {});
    if (!config.enabled) return;
    saving = save(signal).finally(() => {
      saving = null;
    });
    await saving;
  }

  const nextAt = () => triedAt + config.minSaveIntervalSeconds * 1000;
  const wanted = () => config.enabled && config.save === 'task' && dirty && active === 0;

  return {
    async enter() {
      while (saving !== null) await saving.catch(() => {});
      active++;
      return () => {
        active--;
        dirty = true;
      };
    },
    async saveAfterTask() {
      if (!wanted() || clock.now() < nextAt()) return;
      // The task completes with the generation before; the next save brings what this one could not.
      await saveNow().catch((error) => log.error('the workspace could not be saved', { error }));
    },
    dueAt: () => (wanted() ? nextAt() : null),
    saveNow,
  };
}
