import type { EmbeddedAws } from '../local/embedded-aws.ts';
import type { TaskTimes } from './watcher.ts';

interface SeenCall {
  what: string;
  atMs: number;
}

/** The path of one task, told by the AWS calls on it. */
export class Hops {
  private calls: SeenCall[] = [];
  /** Ends it. */
  readonly close: () => void;

  constructor(aws: EmbeddedAws) {
    const recorder = aws.lambda.definitions().find(({ logicalId }) => logicalId.includes('Record'))?.name ?? '';
    this.close = aws.observe(({ service, operation, output, principal }) => {
      const messages = (output as { Messages?: unknown[] } | undefined)?.Messages?.length ?? 0;
      if (operation === 'ReceiveMessage' && messages === 0) return;
      // These happen beside the path: nobody waits for them.
      if (operation === 'DeleteMessageBatch' || principal?.endsWith(`/${recorder}`)) return;
      this.calls.push({ what: `${service} ${operation}`, atMs: performance.now() });
    });
  }

  begin(): void {
    this.calls = [];
  }

  callsUntil(atMs: number): number {
    return this.calls.filter((call) => call.atMs <= atMs).length;
  }

  /** Milliseconds from hop to hop. */
  between({ submittedMs, queuedMs, startedMs, finishedMs }: TaskTimes & { submittedMs: number }): [string, number][] {
    const rungMs = this.at('sqs SendMessage') ?? queuedMs;
    const heardMs = Math.max(rungMs, this.at('sqs ReceiveMessage') ?? rungMs);
    return [
      ['POST → row of the task (HTTP API, api function)', queuedMs - submittedMs],
      ['row → bell rung (read of the head, SendMessage)', rungMs - queuedMs],
      ['rung → heard (ReceiveMessage of the shim)', heardMs - rungMs],
      ['heard → claimed (HTTP API, runtime function)', startedMs - heardMs],
      ['claimed → finished (answer, process, complete)', finishedMs - startedMs],
    ];
  }

  private at(what: string): number | undefined {
    return this.calls.find((call) => call.what === what)?.atMs;
  }
}
