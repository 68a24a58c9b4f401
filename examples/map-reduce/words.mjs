// The agent's program: one task on stdin, its answer on stdout.
import { readFileSync } from 'node:fs';

const task = JSON.parse(readFileSync(0, 'utf8'));

function read({ name, text }) {
  const words = text.toLowerCase().match(/[a-z]{4,}/g) ?? [];
  const counts = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return { name, words: words.length, frequent: Object.fromEntries(top(counts, 20)) };
}

function reduce(found) {
  const counts = {};
  for (const { frequent } of found)
    for (const [word, count] of Object.entries(frequent)) counts[word] = (counts[word] ?? 0) + count;
  const words = found.reduce((sum, one) => sum + one.words, 0);
  return { documents: found.length, words, frequent: Object.fromEntries(top(counts, 5)) };
}

function publish({ documents, words, frequent }) {
  const lines = Object.entries(frequent).map(([word, count]) => `  ${count} × ${word}`);
  return [`${documents} documents, ${words} words. The most frequent ones:`, ...lines].join('\n');
}

function top(counts, size) {
  return Object.entries(counts)
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .slice(0, size);
}

const answers = {
  read: () => JSON.stringify(read(task.document)),
  reduce: () => JSON.stringify(reduce(task.found)),
  publish: () => publish(task.summary),
};
process.stdout.write(answers[task.do]());
