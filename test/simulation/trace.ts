import { createHash } from 'node:crypto';

/** One thing that happened. */
interface Entry {
  timeMs: number;
  text: string;
}

/** An agent's eight characters are part of every id of what is its own. */
const idPattern = /\b(agt|tsk|rt|evt|run)_([0-9A-HJKMNP-TV-Z]{26})\b/g;
/** An id, or what has a name. */
const subjectPattern = /\b(agt|tsk|rt|evt|run)_[0-9A-HJKMNP-TV-Z]{26}\b|\b(schedule|pool)s?\/[\w.-]+/g;
const codeLength = 8;
const shortNames: Record<string, string> = { agt: 'agent', tsk: 'task', rt: 'runtime', evt: 'event', run: 'run' };

/** All that happened, in order. Its hash tells two runs apart that differ in anything. */
export class Trace {
  private readonly hash = createHash('sha256');
  private readonly entries: Entry[] = [];
  private readonly names = new Map<string, string>();
  private readonly counts: Record<string, number> = {};
  private readonly startMs: number;
  private readonly keeps: boolean;
  private count = 0;

  /** @param keeps whether the entries can be shown afterwards; a long run has too many */
  constructor(startMs: number, keeps: boolean) {
    this.startMs = startMs;
    this.keeps = keeps;
  }

  add(timeMs: number, text: string): void {
    this.count += 1;
    this.hash.update(`${timeMs} ${text}\n`);
    if (this.keeps) this.entries.push({ timeMs, text });
  }

  digest(): string {
    return `${this.count}-${this.hash.copy().digest('hex').slice(0, 16)}`;
  }

  /** Lines for people. With `ids`, only what concerns their agents, runs or schedules, and what concerns everybody. */
  lines(ids: readonly string[] = [], last = Number.POSITIVE_INFINITY): string[] {
    const codes = new Set(ids.map(codeOf));
    const concerns = (text: string) => {
      if (codes.size === 0) return true;
      const named = text.match(subjectPattern) ?? [];
      return named.length === 0 || named.some((id) => codes.has(codeOf(id)));
    };
    const chosen = this.entries.filter((entry) => concerns(entry.text));
    return chosen.slice(-last).map(({ timeMs, text }) => `${this.at(timeMs)}  ${this.readable(text)}`);
  }

  /** Long ids become short names, numbered in the order of their appearance. */
  readable(text: string): string {
    return text.replace(idPattern, (id, prefix: string) => {
      const known = this.names.get(id);
      if (known) return known;
      const kind = shortNames[prefix] ?? prefix;
      this.counts[kind] = (this.counts[kind] ?? 0) + 1;
      const name = `${kind}-${this.counts[kind]}`;
      this.names.set(id, name);
      return name;
    });
  }

  private at(timeMs: number): string {
    const ms = timeMs - this.startMs;
    const pad = (value: number, length = 2) => String(Math.floor(value)).padStart(length, '0');
    return `${pad(ms / 3_600_000)}:${pad((ms / 60_000) % 60)}:${pad((ms / 1000) % 60)}.${pad(ms % 1000, 3)}`;
  }
}

/** The same for all that belongs to one agent, run or schedule. In paths of the API the noun has an s. */
export function codeOf(id: string): string {
  return id.includes('/') ? id.replace('s/', '/') : id.slice(-codeLength);
}
