/**
 * `npm run demo`: an agent that indexes this repository's own sources, falls asleep, and answers from its index when it
 * is woken by the next task. It talks to the API by HTTP only.
 *
 * It uses the stack that ROUSE_API_URL and ROUSE_API_KEY name, else the local stack that runs, else one of its own that
 * it stops in the end. `--keep` leaves agent and template where they are.
 */

import { randomBytes } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runningStack } from '../../local/start/local-file.ts';
import { Api, ApiProblem, type Task } from './api.ts';
import { Narrator } from './narrator.ts';
import { isTaskEnd, Watcher } from './watcher.ts';

const repository = join(import.meta.dirname, '..', '..');
const sources = '{lib,agent}/**/*.ts';
/** On AWS a container needs a minute or so to start; locally everything takes seconds. */
const limitSeconds = 240;
const cleanUpLimitMs = 10_000;

/** The program travels in the template, so that the built-in image is enough wherever the agent runs. */
const template = {
  description: 'Indexes TypeScript sources, and answers questions from its index',
  driver: {
    type: 'command',
    command: [
      'node',
      '--input-type=module',
      '--eval',
      readFileSync(join(import.meta.dirname, 'source-index.mjs'), 'utf8'),
    ],
  },
  idleTimeoutSeconds: 2,
  task: { timeoutSeconds: 60, retry: { nonRetryable: ['exit_2'] } },
  workspace: { minSaveIntervalSeconds: 0 },
};

interface IndexSummary {
  files: number;
  lines: number;
  words: number;
  functions: number;
  imports: number;
  mostImported: { file: string; importers: number }[];
  indexBytes: number;
}

interface Answers {
  indexedBy: string;
  answeredBy: string;
  answers: [
    { answer: { name: string; file: string; line: number; lines: number }[] },
    { file: string; answer: string[] },
    { word: string; answer: string[] },
    { answer: string[][] },
  ];
}

interface Stack {
  apiUrl: string;
  apiKey: string;
  /** Ends the stack if it is the demo's own. */
  stop?(): Promise<void>;
}

async function findStack(narrator: Narrator): Promise<Stack> {
  const { ROUSE_API_URL: apiUrl, ROUSE_API_KEY: apiKey } = process.env;
  if (apiUrl && apiKey) {
    narrator.say(`Using the stack at ${apiUrl}`);
    return { apiUrl, apiKey };
  }
  const running = await runningStack(repository);
  if (running) {
    narrator.say(`Using the local stack that runs already: process ${running.pid} at ${running.apiUrl}`);
    return running;
  }
  const { startStack } = await import('../../local/start/stack.ts');
  const log = process.env.ROUSE_LOG ? (line: string) => console.error(line) : undefined;
  const started = await startStack({ port: 0, print: (line) => narrator.say(line), log });
  narrator.say(`The API is at ${started.apiUrl}`);
  return started;
}

/** Submits a task, shows what happens until it has ended, and gives its answer. */
async function run(api: Api, watcher: Watcher, agentId: string, input: unknown): Promise<Task> {
  const { id } = await api.submit(agentId, { input, output: { type: 'json' } });
  const end = await watcher.until(
    `the end of task ${id}`,
    (event) => event.taskId === id && isTaskEnd(event),
    limitSeconds,
  );
  const task = await api.task(id);
  if (end.type === 'task.succeeded') return task;
  throw new Error(`Task ${id} has ${task.status}: ${task.error?.code} ${task.error?.message}`);
}

async function indexSources(api: Api, watcher: Watcher, agentId: string, narrator: Narrator): Promise<Task> {
  const paths = globSync(sources, { cwd: repository }).sort();
  const files = paths.map((path) => ({ path, text: readFileSync(join(repository, path), 'utf8') }));
  const bytes = new Uint8Array(Buffer.from(JSON.stringify({ do: 'index', files })));
  const input = await api.upload(bytes);
  narrator.say(`${files.length} files of lib/ and agent/ (${kib(bytes.length)}) are uploaded as ${input.$ref}`);
  const task = await run(api, watcher, agentId, input);
  const found = task.output as IndexSummary;
  narrator.say('The answer:');
  narrator.table([
    ['files', found.files],
    ['lines', found.lines],
    ['words', found.words],
    ['functions', found.functions],
    ['imports', found.imports],
    ...found.mostImported.map(({ file, importers }) => [`files that import ${file}`, importers]),
  ]);
  return task;
}

async function askIndex(api: Api, watcher: Watcher, agentId: string, narrator: Narrator): Promise<Task> {
  const task = await run(api, watcher, agentId, {
    do: 'ask',
    questions: [
      { ask: 'longestFunctions', top: 5 },
      { ask: 'importers', file: 'lib/app/claim.ts' },
      { ask: 'mentions', word: 'fence' },
      { ask: 'importCycles' },
    ],
  });
  const { indexedBy, answeredBy, answers } = task.output as Answers;
  const [longest, importers, mentions, cycles] = answers;
  narrator.say('The five longest functions:');
  narrator.table(longest.answer.map(({ name, file, line, lines }) => [lines, 'lines', name, `${file}:${line}`]));
  narrator.say(`What imports ${importers.file}:`);
  narrator.table(importers.answer.map((file) => [file]));
  narrator.say(`Files that mention "${mentions.word}": ${mentions.answer.length}`);
  narrator.say(`Groups of files that import each other in a circle: ${cycles.answer.length}`);
  if (indexedBy === answeredBy) throw new Error(`Both tasks ran in ${indexedBy}: the agent never slept.`);
  narrator.say(`The index was made by ${indexedBy} and read by ${answeredBy}: the workspace came along.`);
  return task;
}

function report(narrator: Narrator, tasks: Record<string, Task>): void {
  const seconds = (from: string | null, to: string | null) =>
    from && to ? Number(((Date.parse(to) - Date.parse(from)) / 1000).toFixed(2)) : 0;
  narrator.table([
    ['task', 'waited', 'ran', 'would cost on Fargate'],
    ...Object.entries(tasks).map(([name, { createdAt, startedAt, finishedAt, usage }]) => [
      name,
      `${seconds(createdAt, startedAt)} s`,
      `${seconds(startedAt, finishedAt)} s`,
      `$${(usage?.costUsd ?? 0).toFixed(9)}`,
    ]),
  ]);
  narrator.say(
    '(0.25 vCPU and 0.5 GiB on ARM at the list price in us-east-1, for the time that the tasks ran. AWS bills',
  );
  narrator.say('a container from the pull of its image to its end, at least a minute, and its public IPv4 address.)');
}

/** Terminates the agent, waits until that is done, and deletes the template unless somebody else uses it. */
async function cleanUp(api: Api, agentId: string | undefined, templateName: string | undefined): Promise<void> {
  if (agentId) {
    await api.deleteAgent(agentId);
    for (let i = 0; i < 100 && (await api.agent(agentId)).status !== 'terminated'; i++) await sleep(200);
  }
  if (!templateName) return;
  await api.deleteTemplate(templateName).catch((error: unknown) => {
    if (!(error instanceof ApiProblem) || error.code !== 'template_in_use') throw error;
  });
}

async function main(signal: AbortSignal): Promise<void> {
  const narrator = new Narrator();
  const keep = process.argv.includes('--keep');
  narrator.chapter('A stack');
  const stack = await findStack(narrator);
  const api = new Api(stack.apiUrl, stack.apiKey, signal);
  let watcher: Watcher | undefined;
  let agentId: string | undefined;
  let templateName: string | undefined;
  try {
    signal.throwIfAborted();
    narrator.chapter('An agent');
    const { name, version } = await api.putTemplate(`demo-${randomBytes(3).toString('hex')}`, template);
    templateName = name;
    agentId = (await api.createAgent(name, 'librarian')).id;
    narrator.say(`"librarian" is ${agentId}, made from version ${version} of the template ${name}`);
    watcher = new Watcher(api, agentId, {
      event: (event) => narrator.event(event),
      line: (line) => narrator.line(line),
    });
    signal.addEventListener('abort', () => watcher?.end(), { once: true });

    narrator.chapter('Its first task: index the sources of Rouse');
    const index = await indexSources(api, watcher, agentId, narrator);

    narrator.chapter('Nothing to do: the agent saves its workspace and pauses');
    const pausedAt = Date.now();
    await watcher.until('the pause', (event) => event.type === 'agent.paused', limitSeconds);
    const { workspace } = await api.agent(agentId);
    narrator.say(
      `Paused after ${((Date.now() - pausedAt) / 1000).toFixed(1)} s: its container has said goodbye, and generation ` +
        `${workspace?.generation} of its workspace (${kib(workspace?.bytes ?? 0)}) is in S3.`,
    );

    narrator.chapter('Its second task wakes it: four questions about what it has read');
    const ask = await askIndex(api, watcher, agentId, narrator);

    narrator.chapter('What it took');
    report(narrator, { index, ask });
    narrator.say(`Everything together: ${narrator.seconds.toFixed(1)} s`);
  } finally {
    watcher?.end();
    const last = new Api(stack.apiUrl, stack.apiKey, AbortSignal.timeout(cleanUpLimitMs));
    if (keep) narrator.say(`Kept: agent ${agentId}, template ${templateName}`);
    // A stack of its own takes everything with it; then there is no need to wait for an agent that is still at work.
    else if (!stack.stop || !signal.aborted)
      await cleanUp(last, agentId, templateName).catch((error: unknown) => console.error(`Not cleaned up: ${error}`));
    await stack.stop?.();
  }
}

const kib = (bytes: number) => `${(bytes / 1024).toFixed(0)} KiB`;

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    interrupted.abort(new Error('Interrupted.'));
    setTimeout(() => process.exit(130), 2 * cleanUpLimitMs).unref();
  });
}

main(interrupted.signal).then(
  () => process.exit(0),
  (error: unknown) => {
    if (interrupted.signal.aborted) process.exit(130);
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
