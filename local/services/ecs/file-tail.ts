import { closeSync, openSync, readSync } from 'node:fs';
import { LineSplitter } from '../../line-splitter.ts';

const intervalMs = 500;
const chunkBytes = 64 * 1024;

/** Follows a file that a process appends to, line by line. */
export class FileTail {
  private readonly file: number;
  private readonly lines: LineSplitter;
  private readonly timer: NodeJS.Timeout;
  private position = 0;

  constructor(path: string, sink: (lines: string[]) => void) {
    this.file = openSync(path, 'r');
    this.lines = new LineSplitter(sink);
    this.timer = setInterval(() => this.read(), intervalMs);
    this.timer.unref();
  }

  end(): void {
    clearInterval(this.timer);
    this.read();
    this.lines.end();
    closeSync(this.file);
  }

  private read(): void {
    const buffer = Buffer.allocUnsafe(chunkBytes);
    for (;;) {
      const length = readSync(this.file, buffer, 0, chunkBytes, this.position);
      if (length === 0) return;
      this.position += length;
      this.lines.push(buffer.subarray(0, length));
    }
  }
}
