/** A longer line is cut here, in bytes. */
export const longestLineBytes = 8 * 1024;

const cutMark = ' … [cut]';
const newline = 0x0a;
const carriageReturn = 0x0d;

/**
 * Splits a byte stream into lines without ever holding more of a line than is kept. Works on bytes so that a character
 * that arrives in two chunks stays whole; what is not UTF-8 becomes replacement characters. `onLine` says whether more
 * lines are wanted: a program that writes gigabytes must not cost their splitting.
 */
export function makeLineSplitter(onLine: (line: string) => boolean) {
  let kept: Buffer[] = [];
  let keptBytes = 0;
  let cut = false;
  let wanted = true;

  function keep(piece: Buffer): void {
    const room = longestLineBytes - keptBytes;
    if (piece.length > room) cut = true;
    if (room <= 0 || piece.length === 0) return;
    const part = piece.subarray(0, room);
    // A copy: the chunk it points into may be large, and must not live as long as the line.
    kept.push(Buffer.from(part));
    keptBytes += part.length;
  }

  function emit(): void {
    let line = Buffer.concat(kept);
    if (!cut && line.at(-1) === carriageReturn) line = line.subarray(0, -1);
    wanted = onLine(cut ? cutLine(line) : line.toString('utf8'));
    kept = [];
    keptBytes = 0;
    cut = false;
  }

  return {
    push(chunk: Buffer): void {
      if (!wanted) return;
      let start = 0;
      for (let end = chunk.indexOf(newline); wanted && end !== -1; end = chunk.indexOf(newline, start)) {
        keep(chunk.subarray(start, end));
        emit();
        start = end + 1;
      }
      keep(chunk.subarray(start));
    },
    /** Emits the last line if it had no newline. */
    end(): void {
      if (wanted && keptBytes > 0) emit();
    },
  };
}

/** A line that is too long for the protocol, given whole. */
export function fitLine(line: string): string {
  const bytes = Buffer.from(line);
  return bytes.length > longestLineBytes ? cutLine(bytes) : line;
}

function cutLine(bytes: Buffer): string {
  let end = Math.min(bytes.length, longestLineBytes - Buffer.byteLength(cutMark));
  // Step back over the continuation bytes of a character that would be cut in two.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end).toString('utf8') + cutMark;
}
