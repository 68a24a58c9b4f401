/**
 * The agent of the demo: indexes TypeScript sources and answers questions about them. One task is one run of it: the
 * request comes on stdin as JSON, the answer goes to stdout as JSON, what it has to say meanwhile to stderr.
 *
 *   {"do": "index", "files": [{"path", "text"}]}   reads the sources, leaves index.json in the workspace
 *   {"do": "ask", "questions": [{"ask": …}]}       answers from the index that an earlier task left
 *
 * Plain JavaScript without dependencies, because it travels as text in the template's command.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path/posix';

const indexFile = join(process.env.ROUSE_WORKSPACE ?? '.', 'index.json');

const say = (text) => process.stderr.write(`${text}\n`);

/** Exit code 2: trying again would not help, and the template says so. */
function refuse(why) {
  say(why);
  process.exit(2);
}

function makeIndex(files) {
  const known = new Set(files.map((file) => file.path));
  const index = { runtimeId: process.env.ROUSE_RUNTIME_ID ?? 'none', files: {}, words: {} };
  const folders = new Map();
  for (const { path, text } of files) {
    const entry = readSource(path, text, known);
    index.files[path] = entry;
    for (const word of new Set(text.match(/[A-Za-z_]\w{2,}/g))) {
      // A word may be "constructor", which every object has.
      if (!Object.hasOwn(index.words, word)) index.words[word] = [];
      index.words[word].push(path);
    }
    const folder = folders.get(dirname(path)) ?? { files: 0, lines: 0, functions: 0 };
    folder.files += 1;
    folder.lines += entry.lines;
    folder.functions += entry.functions.length;
    folders.set(dirname(path), folder);
  }
  for (const [name, { files: count, lines, functions }] of folders) {
    say(`${name}: ${count} files, ${lines} lines, ${functions} functions`);
  }
  const bytes = JSON.stringify(index);
  writeFileSync(indexFile, bytes);
  say(`index.json: ${bytes.length} bytes, ${Object.keys(index.words).length} different words`);
  return summary(index, bytes.length);
}

function readSource(path, text, known) {
  const lines = text.split('\n');
  const specifiers = [...text.matchAll(/(?:^|\n)(?:import|export)\b[^;'"]*?from\s*['"](\.[^'"]+)['"]/g)].map(
    ([, to]) => to,
  );
  const imports = specifiers.map((to) => normalize(join(dirname(path), to))).filter((to) => known.has(to));
  return {
    lines: lines.length,
    words: text.split(/\s+/).length,
    imports: [...new Set(imports)],
    functions: functionsOf(lines),
  };
}

const opening =
  /^(\s*)(?:export )?(?:default )?(?:async )?(?:function\*? (\w+)|const (\w+) = (?:async )?(?:<.*>)?\(.*\).*=> \{$|(?:(?:private|public|static|override|async) )*\*?(\w+)\(.*\{$)/;
const notAName = new Set(['if', 'for', 'while', 'switch', 'catch', 'return', 'with', 'function']);

/** In formatted sources a function ends at the next line that closes a brace at the function's own indentation. */
function functionsOf(lines) {
  const functions = [];
  for (const [at, line] of lines.entries()) {
    const [, indentation, ...names] = opening.exec(line) ?? [];
    const name = names.find((candidate) => candidate !== undefined);
    if (name === undefined || notAName.has(name)) continue;
    // A signature over several lines ends its list of parameters with a brace of its own: `}): void {`.
    const end = lines.findIndex((later, i) => i > at && later.startsWith(`${indentation}}`) && !later.endsWith('{'));
    if (end > at) functions.push({ name, line: at + 1, lines: end - at + 1 });
  }
  return functions;
}

function summary({ files }, bytes) {
  const entries = Object.values(files);
  const sum = (count) => entries.reduce((total, entry) => total + count(entry), 0);
  return {
    files: entries.length,
    lines: sum((entry) => entry.lines),
    words: sum((entry) => entry.words),
    functions: sum((entry) => entry.functions.length),
    imports: sum((entry) => entry.imports.length),
    mostImported: importersByFile(files)
      .slice(0, 3)
      .map(([file, importers]) => ({ file, importers: importers.length })),
    indexBytes: bytes,
  };
}

function importersByFile(files) {
  const importers = new Map();
  for (const [path, { imports }] of Object.entries(files)) {
    for (const file of imports) importers.set(file, [...(importers.get(file) ?? []), path]);
  }
  return [...importers].sort(([, one], [, two]) => two.length - one.length);
}

const answers = {
  importers: ({ files }, { file }) =>
    importersByFile(files)
      .find(([name]) => name === file)?.[1]
      .sort() ?? [],
  longestFunctions: ({ files }, { top }) =>
    Object.entries(files)
      .flatMap(([file, { functions }]) => functions.map((one) => ({ ...one, file })))
      .sort((one, two) => two.lines - one.lines)
      .slice(0, top),
  mentions: ({ words }, { word }) => (Object.hasOwn(words, word) ? words[word] : []),
  importCycles: ({ files }) => cyclesOf(files),
};

/** Groups of files that import each other, however indirectly (Tarjan's strongly connected components). */
function cyclesOf(files) {
  const order = new Map();
  const low = new Map();
  const stack = [];
  const cycles = [];
  const visit = (path) => {
    order.set(path, order.size);
    low.set(path, order.get(path));
    stack.push(path);
    for (const next of files[path].imports) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) low.set(path, Math.min(low.get(path), low.get(next)));
    }
    if (low.get(path) !== order.get(path)) return;
    const group = stack.splice(stack.indexOf(path));
    if (group.length > 1) cycles.push(group.sort());
  };
  for (const path of Object.keys(files)) if (!order.has(path)) visit(path);
  return cycles;
}

function answerQuestions(questions) {
  let index;
  try {
    index = JSON.parse(readFileSync(indexFile, 'utf8'));
  } catch (error) {
    refuse(`There is no index to answer from (${error.message}). Send a task with {"do": "index"} first.`);
  }
  say(`Found the index of ${Object.keys(index.files).length} files that runtime ${index.runtimeId} made`);
  const found = questions.map((question) => {
    if (!Object.hasOwn(answers, question.ask)) {
      refuse(`Received the question "${question.ask}"; allowed are ${Object.keys(answers).join(', ')}.`);
    }
    return { ...question, answer: answers[question.ask](index, question) };
  });
  return { indexedBy: index.runtimeId, answeredBy: process.env.ROUSE_RUNTIME_ID ?? 'none', answers: found };
}

const request = JSON.parse(readFileSync(0, 'utf8'));
const answer =
  request.do === 'index'
    ? makeIndex(request.files)
    : request.do === 'ask'
      ? answerQuestions(request.questions)
      : refuse(`Received do: "${request.do}"; allowed are index and ask.`);
process.stdout.write(JSON.stringify(answer));
