import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runningStack } from '../local/start/local-file.ts';

/** What the examples of workflows say to the API: every call is a plain `fetch`. */

const repository = join(import.meta.dirname, '..');

export interface Stack {
  apiUrl: string;
  apiKey: string;
}

export interface Run {
  id: string;
  status: string;
  output: unknown;
  error: { code: string; message: string } | null;
  steps: Record<string, { status: string; prompt: string | null; items: { succeeded: number; total: number } | null }>;
}

export class Rouse {
  private readonly stack: Stack;
  private readonly agents: string[] = [];

  constructor(stack: Stack) {
    this.stack = stack;
  }

  async call<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await fetch(new URL(path, this.stack.apiUrl), {
      method,
      headers: { authorization: `Bearer ${this.stack.apiKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} was answered with ${answer.status}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as Answer;
  }

  /** An agent whose command is a program of this folder. The program travels in the template. */
  async agent(template: string, program: string, env: Record<string, string> = {}): Promise<string> {
    const command = ['node', '--input-type=module', '--eval', readFileSync(program, 'utf8')];
    const spec = { driver: { type: 'command', command }, env, idleTimeoutSeconds: 30, concurrency: 4 };
    await this.call('PUT', `/v1/templates/${template}`, spec);
    const { id } = await this.call<{ id: string }>('POST', '/v1/agents', { template, name: template });
    this.agents.push(id);
    return id;
  }

  /** Puts a workflow, starts a run of it and follows it to its end. `onChange` hears of every change of a step. */
  async run(
    name: string,
    definition: object,
    input: unknown,
    onChange: (run: Run) => Promise<void> | void,
  ): Promise<Run> {
    await this.call('PUT', `/v1/workflows/${name}`, definition);
    let run = await this.call<Run>('POST', `/v1/workflows/${name}/runs`, { input });
    for (let seen = ''; ; ) {
      const state = JSON.stringify(Object.values(run.steps).map(({ status, items }) => [status, items]));
      if (state !== seen) await onChange(run);
      seen = state;
      if (run.status !== 'running') return run;
      run = await this.call('GET', `/v1/runs/${run.id}?waitSeconds=1`);
    }
  }

  /** Terminates the agents that were made for the example. */
  async cleanUp(): Promise<void> {
    for (const id of this.agents) await this.call('DELETE', `/v1/agents/${id}`);
  }
}

/** Runs an example on the stack that ROUSE_API_URL and ROUSE_API_KEY name, else on the local one, else on one of its own. */
export async function onStack(example: (rouse: Rouse) => Promise<void>): Promise<void> {
  const { ROUSE_API_URL: apiUrl, ROUSE_API_KEY: apiKey } = process.env;
  const found = apiUrl && apiKey ? { apiUrl, apiKey } : await runningStack(repository);
  const { startStack } = await import('../local/start/stack.ts');
  const own = found ? undefined : await startStack({ port: 0, print: (line) => console.log(line) });
  const rouse = new Rouse((found ?? own)!);
  try {
    await example(rouse);
  } finally {
    await rouse.cleanUp();
    await own?.stop();
  }
}

/** The steps of a run in one line, such as `read 2/3 running, check pending`. */
export function progressOf(run: Run): string {
  const steps = Object.entries(run.steps).map(([id, { status, items }]) =>
    items ? `${id} ${items.succeeded}/${items.total} ${status}` : `${id} ${status}`,
  );
  return steps.join(', ');
}
