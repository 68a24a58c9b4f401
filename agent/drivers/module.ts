import type { ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import { describeError } from '../log.ts';
import type { Failure, Json } from '../protocol.ts';
import { type DriverOutcome, type DriverRun, type DriverSetting, type DriverTask, mostOutputBytes } from './driver.ts';
import type { FromRunner, Order, Sent } from './module-channel.ts';
import { type Program, type ProgramEnd, startProgram } from './program.ts';
import { parseSpent } from './spent.ts';

/**
 * Runs the template's module in a child process, so that time-outs and cancels can kill it: the shim's own script as
 * `module-runner`, spoken to over Node's IPC channel.
 */
export function runModule(setting: DriverSetting, run: DriverTask): DriverRun {
  const { driver } = setting.config;
  if (driver.type !== 'module') throw new Error(`The module driver was given a ${driver.type} driver.`);
  const node = setting.containerEnv.ROUSE_NODE ?? process.execPath;
  const program = startProgram(setting, run, [node, setting.entry, 'module-runner'], ['ignore', 'pipe', 'pipe', 'ipc']);
  const { child, group } = program;
  const answer = listen(child, run);
  if (group !== null) {
    const order: Order = {
      path: resolve(setting.moduleRoot, driver.path),
      task: {
        id: run.task.id,
        input: Buffer.isBuffer(run.input) ? run.input.toString('utf8') : run.input,
        metadata: run.task.metadata ?? {},
        message: run.task.message ?? null,
        output: run.task.output ?? { type: 'text' },
        lastError: run.task.lastError ?? null,
      },
      context: { agentId: setting.agentId, attempt: run.task.fence, workspace: setting.workspace },
    };
    // An error here means that the runner is gone; how it ended says more.
    child.send(order, () => {});
  }
  return {
    outcome: program.ended.then((end) => judge(end, program, answer)),
    end: (graceMs) => void group?.end(graceMs),
    kill: () => void group?.kill(),
  };
}

type Answer = { outcome: DriverOutcome | null };

function listen(child: ChildProcess, run: DriverTask): Answer {
  const answer: Answer = { outcome: null };
  child.on('message', (message: FromRunner) => {
    switch (message.type) {
      case 'log':
        run.onLine('stdout', message.line);
        return;
      case 'progress':
        return run.onProgress(message.value);
      case 'activity':
        return run.onActivity(message.seconds);
      case 'tokens': {
        // The module shares its process with the runner, and could say anything.
        const spent = parseSpent('ctx.tokens()', message.spent);
        if (typeof spent === 'string') run.onLine('system', spent);
        else run.onSpent(spent);
        return;
      }
      case 'send':
        void send(run, message).then((sent) => child.connected && child.send(sent, () => {}));
        return;
      case 'returned':
        answer.outcome = checkSize(message.value);
        return;
      case 'threw':
        answer.outcome = { failure: asFailure(message) };
        return;
      default:
        message satisfies never;
    }
  });
  return answer;
}

async function send(run: DriverTask, { n, message }: Extract<FromRunner, { type: 'send' }>): Promise<Sent> {
  try {
    const { id } = await run.onSend(message);
    return { n, id };
  } catch (error) {
    return { n, refused: describeError(error) };
  }
}

function judge(end: ProgramEnd, program: Program, answer: Answer): DriverOutcome {
  if (answer.outcome !== null) return answer.outcome;
  if ('failure' in end) return end;
  const how = end.signal === null ? `exit code ${end.code}` : `signal ${end.signal}`;
  const said = program.stderrTail().trim();
  return {
    failure: {
      code: 'driver_failed',
      message: `The module's process ended with ${how} before run() returned.${said ? ` It last wrote: ${said}` : ''}`,
    },
  };
}

function checkSize(value: Json): DriverOutcome {
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes <= mostOutputBytes) return { value };
  return {
    failure: {
      code: 'output_too_large',
      message: `The module returned ${bytes} bytes of JSON; a task may answer with at most ${mostOutputBytes}.`,
    },
  };
}

function asFailure({ code, message, retryAfterSeconds }: Extract<FromRunner, { type: 'threw' }>): Failure {
  return {
    code: code ?? 'driver_failed',
    message,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  };
}
