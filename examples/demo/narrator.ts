import { styleText } from 'node:util';
import type { ApiEvent, LogLine } from './api.ts';

const longestLine = 100;

/** Says what happens, one line each, with the seconds since the beginning. No colours where nobody looks. */
export class Narrator {
  private readonly startMs = performance.now();

  chapter(title: string): void {
    this.write(`\n${paint('bold', title)}`);
  }

  say(text: string): void {
    this.write(`        ${text}`);
  }

  /** Rows of a table: cells are padded to the widest of their column, the numbers to the right. */
  table(rows: (string | number)[][]): void {
    const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => String(row[column]).length))) ?? [];
    for (const row of rows) {
      const cells = row.map((cell, column) => {
        const width = widths[column] ?? 0;
        return typeof cell === 'number' ? String(cell).padStart(width) : cell.padEnd(width);
      });
      this.say(`  ${cells.join('  ')}`.trimEnd());
    }
  }

  event({ type, data }: ApiEvent): void {
    const details = Object.entries(data)
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
    this.write(`${this.clock()}  ${paint('cyan', type.padEnd(22))} ${paint('dim', details.join(' '))}`.trimEnd());
  }

  line({ stream, line }: LogLine): void {
    const shown = line.length > longestLine ? `${line.slice(0, longestLine)}…` : line;
    this.write(`${this.clock()}  ${paint('dim', `${stream} |`)} ${shown}`);
  }

  /** Seconds since the beginning. */
  get seconds(): number {
    return (performance.now() - this.startMs) / 1000;
  }

  private clock(): string {
    return paint('dim', `${this.seconds.toFixed(1)} s`.padStart(6));
  }

  private write(text: string): void {
    process.stdout.write(`${text}\n`);
  }
}

function paint(format: 'bold' | 'cyan' | 'dim', text: string): string {
  // styleText looks at the stream, NO_COLOR and FORCE_COLOR itself.
  return styleText(format, text, { stream: process.stdout });
}
