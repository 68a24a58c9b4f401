// The agent's program. RULES names what this agent cares for: as an author it follows its own rules and what it was
// told, each once a round; as a reviewer it tells what it would do otherwise.
import { readFileSync } from 'node:fs';

const rules = {
  filler: {
    find: /\b(very|really|basically|actually) /i,
    say: 'leave out filler words',
    fix: (text) => text.replace(/\b(very|really|basically|actually) /i, ''),
  },
  passive: {
    find: /it is believed that /i,
    say: 'say who believes it',
    fix: (text) => text.replace(/it is believed that /i, 'we believe that '),
  },
  shouting: { find: /!/, say: 'do not shout', fix: (text) => text.replace('!', '.') },
  doubled: { find: /\b(\w+) \1\b/i, say: 'say it once', fix: (text) => text.replace(/\b(\w+) \1\b/i, '$1') },
};
const own = process.env.RULES.split(',');
const task = JSON.parse(readFileSync(0, 'utf8'));

const findings = (text) =>
  own.filter((name) => rules[name].find.test(text)).map((name) => ({ rule: name, say: rules[name].say }));

function write({ text, findings: told }) {
  return [...told, ...findings(text)].reduce((better, { rule }) => rules[rule].fix(better), text);
}

const answer = task.do === 'write' ? { text: write(task) } : { findings: findings(task.text) };
process.stdout.write(JSON.stringify(answer));
