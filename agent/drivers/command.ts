import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import type { Json } from '../protocol.ts';
import { type DriverOutcome, type DriverRun, type DriverSetting, type DriverTask, mostOutputBytes } from './driver.ts';
import { type Program, type ProgramEnd, startProgram } from './program.ts';
import { readSpent, usageFd } from './spent.ts';

/** Runs the template's command once: input on stdin, output from stdout, the exit code decides. */
export function runCommand(setting: DriverSetting, run: DriverTask): DriverRun {
  const { driver } = setting.config;
  if (driver.type !== 'command') throw new Error(`The command driver was given a ${driver.type} driver.`);
  const [command = '', ...args] = driver.command;
  const program = startProgram(setting, run, [command, ...args], ['pipe', 'pipe', 'pipe', 'pipe']);
  const { child, group } = program;
  const stdout = collect(child.stdout as Readable, () => void group?.kill());
  feed(child.stdin as Writable, run.input);
  readSpent(child.stdio[usageFd] as Readable, run);
  return {
    outcome: program.ended.then((end) => judge(end, program, stdout)),
    end: (graceMs) => void group?.end(graceMs),
    kill: () => void group?.kill(),
  };
}

function judge(end: ProgramEnd, program: Program, stdout: Collected): DriverOutcome {
  if ('failure' in end) return end;
  if (stdout.overflowed) {
    return {
      failure: {
        code: 'output_too_large',
        message: `The command wrote more than ${mostOutputBytes / 1e6} MB to stdout, which is the most that a task may answer with. Write large results to files of the workspace and ask for output type "files".`,
      },
    };
  }
  if (end.code === 0) return { bytes: stdout.chunks };
  const code = end.code ?? 128 + (end.signal === null ? 0 : constants.signals[end.signal]);
  const how = end.signal === null ? `exit code ${code}` : `signal ${end.signal}`;
  const message = program.stderrTail().trim() || `The command ended with ${how} and wrote nothing to stderr.`;
  return { failure: { code: `exit_${code}`, message } };
}

type Collected = { chunks: Buffer[]; overflowed: boolean };

function collect(stream: Readable, onOverflow: () => void): Collected {
  const collected: Collected = { chunks: [], overflowed: false };
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    if (collected.overflowed) return;
    bytes += chunk.length;
    if (bytes > mostOutputBytes) {
      collected.overflowed = true;
      collected.chunks = [];
      onOverflow();
    } else {
      collected.chunks.push(chunk);
    }
  });
  return collected;
}

function feed(stdin: Writable, input: Json | Buffer): void {
  // A program that does not read its input is no failure.
  stdin.on('error', () => {});
  stdin.end(typeof input === 'string' || Buffer.isBuffer(input) ? input : JSON.stringify(input));
}
