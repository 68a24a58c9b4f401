/** Tells what goes on while a stack starts: each step with the time it took. */
export class Steps {
  private readonly print: (line: string) => void;

  constructor(print: (line: string) => void) {
    this.print = print;
  }

  /** Runs a step and prints it when it ends; `note` may add what came out. */
  async run<T>(title: string, step: () => Promise<T> | T, note?: (result: T) => string): Promise<T> {
    const startMs = performance.now();
    const result = await step();
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    this.print(`${title}… ${seconds} s${note ? ` (${note(result)})` : ''}`);
    return result;
  }
}
