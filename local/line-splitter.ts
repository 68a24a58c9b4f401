import { StringDecoder } from 'node:string_decoder';

/** Cuts a byte stream into lines; an unfinished line waits for its end, but not beyond `maxLineLength` characters. */
export class LineSplitter {
  private readonly decoder = new StringDecoder('utf8');
  private readonly sink: (lines: string[]) => void;
  private readonly maxLineLength: number;
  private rest = '';

  constructor(sink: (lines: string[]) => void, maxLineLength = 65_536) {
    this.sink = sink;
    this.maxLineLength = maxLineLength;
  }

  push(chunk: Buffer): void {
    const parts = (this.rest + this.decoder.write(chunk)).split('\n');
    this.rest = parts.pop() ?? '';
    if (this.rest.length > this.maxLineLength) {
      parts.push(this.rest);
      this.rest = '';
    }
    if (parts.length) this.sink(parts);
  }

  end(): void {
    if (this.rest) this.sink([this.rest]);
    this.rest = '';
  }
}
