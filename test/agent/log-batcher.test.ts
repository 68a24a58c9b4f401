import { describe, expect, test } from 'vitest';
import { makeLineSplitter } from '../../agent/line-splitter.ts';
import { makeLogBatcher } from '../../agent/log-batcher.ts';
import type { LogLine } from '../../agent/protocol.ts';
import { FakeClock } from './support/fake-clock.ts';

function batcher(send?: (lines: LogLine[]) => void) {
  const clock = new FakeClock();
  const sent: string[][] = [];
  const errors: unknown[] = [];
  const logs = makeLogBatcher(
    async (lines) => {
      send?.(lines);
      sent.push(lines.map(({ line }) => line));
    },
    clock,
    (error) => errors.push(error),
  );
  return { clock, sent, errors, logs };
}

describe('log lines', () => {
  test('wait a second for more', async () => {
    const { clock, sent, logs } = batcher();
    logs.line('stdout', 'a');
    await clock.advance(900);
    logs.line('stdout', 'b');
    expect(sent).toEqual([]);
    await clock.advance(100);
    expect(sent).toEqual([['a', 'b']]);
  });

  test('do not wait when they are flushed', async () => {
    const { sent, logs } = batcher();
    logs.line('stdout', 'a');
    await logs.flush();
    expect(sent).toEqual([['a']]);
  });

  test('travel in batches of at most 500', async () => {
    const { sent, logs } = batcher();
    for (let index = 0; index < 1100; index++) logs.line('stdout', String(index));
    await logs.flush();
    expect(sent.map((lines) => lines.length)).toEqual([500, 500, 100]);
    expect(sent.flat()).toEqual(Array.from({ length: 1100 }, (_, index) => String(index)));
  });

  test('travel in batches of at most 256 KiB', async () => {
    const { sent, logs } = batcher();
    for (let index = 0; index < 100; index++) logs.line('stdout', 'x'.repeat(8000));
    await logs.flush();
    expect(Math.max(...sent.map((lines) => JSON.stringify(lines).length))).toBeLessThan(256 * 1024);
    expect(sent.flat()).toHaveLength(100);
  });

  test('are kept, in order, when a send fails', async () => {
    let failures = 1;
    const { clock, sent, errors, logs } = batcher(() => {
      if (failures-- > 0) throw new Error('away');
    });
    logs.line('stdout', 'a');
    await clock.advance(1000);
    logs.line('stdout', 'b');
    await clock.advance(1000);
    expect(errors).toHaveLength(1);
    expect(sent).toEqual([['a', 'b']]);
  });

  test('of one attempt end at 5 MiB with a line that says so', async () => {
    const { sent, logs } = batcher();
    let wanted = true;
    for (let index = 0; index < 1000; index++) wanted = logs.line('stdout', 'x'.repeat(8000));
    await logs.flush();
    expect(wanted).toBe(false);
    expect(sent.flat().length).toBeLessThan(700);
    expect(sent.flat().at(-1)).toContain('reached 5 MiB');
  });
});

describe('the line splitter', () => {
  function split(...chunks: (string | Buffer)[]): string[] {
    const lines: string[] = [];
    const splitter = makeLineSplitter((line) => lines.push(line) > 0);
    for (const chunk of chunks) splitter.push(Buffer.from(chunk as string));
    splitter.end();
    return lines;
  }

  test('joins what arrives in pieces, even in the middle of a character', () => {
    const [first, second] = [Buffer.from('ä').subarray(0, 1), Buffer.from('ä').subarray(1)];
    expect(split('one\ntw', 'o\r\n\nx', first, second)).toEqual(['one', 'two', '', 'xä']);
  });

  test('cuts a line at 8 KiB between two characters', () => {
    const [line = ''] = split('ä'.repeat(10_000));
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(8192);
    expect(line).toMatch(/^ä+ … \[cut\]$/);
    expect(split(`${'x'.repeat(8192)}\nnext`)).toEqual(['x'.repeat(8192), 'next']);
  });

  test('stops when no more lines are wanted', () => {
    const lines: string[] = [];
    const splitter = makeLineSplitter((line) => lines.push(line) < 2);
    splitter.push(Buffer.from('a\nb\nc\nd'));
    splitter.end();
    expect(lines).toEqual(['a', 'b']);
  });
});
