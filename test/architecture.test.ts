import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** What no linter of a single file sees: who imports whom, how files are called, how long they may be. */

const root = fileURLToPath(new URL('..', import.meta.url));
/** Files of the repository, also those that are not committed yet. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter(Boolean)
  .filter((file) => textOf(file) !== undefined);
const code = files.filter((file) => /\.(ts|tsx|mts|mjs)$/.test(file));

/** Text of a file, or undefined when it was deleted and is not committed yet. */
function textOf(file: string): string | undefined {
  try {
    return readFileSync(join(root, file), 'utf8');
  } catch {
    return undefined;
  }
}

interface Import {
  from: string;
  /** A path in the repository, or the name of a package or of a module of Node. */
  to: string;
}

const statement =
  /(?:^|[\s;}])(?:import|export)\s(?:[^'"`;]*?\sfrom\s)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g;

function importsOf(file: string): Import[] {
  return [...textOf(file)!.matchAll(statement)].map((match) => {
    const specifier = match[1] ?? match[2]!;
    return { from: file, to: specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : specifier };
  });
}

const imports = code.flatMap(importsOf);

/** What a room may import besides itself, by the beginnings of paths and names. A file is in the longest that fits. */
const rooms: Record<string, readonly string[]> = {
  'lib/domain/': [],
  'lib/app/': ['lib/domain/', 'lib/config.ts', 'node:crypto', 'node:util'],
  'lib/aws/': ['lib/app/', 'lib/domain/', 'lib/config.ts', '@aws-sdk/', 'tar-stream', 'node:'],
  'lib/http/': [
    'lib/http/schemas/',
    'lib/app/',
    'lib/domain/',
    'lib/config.ts',
    'lib/version.ts',
    'node:crypto',
    'zod',
    'ajv/',
  ],
  'lib/http/schemas/': ['lib/domain/', 'node:crypto', 'zod', 'ajv/'],
  'lib/': ['lib/app/ports.ts', 'package.json', 'zod'],
  'lambdas/': ['lib/', '@aws-sdk/', '@middy/', 'aws-lambda', 'node:'],
  'cdk/': ['lib/config.ts', 'aws-cdk-lib', 'constructs', 'esbuild', 'zod', 'node:'],
  'agent/': ['lib/http/schemas/', '@aws-sdk/', '@smithy/', '@aws-crypto/', 'tar-stream', 'node:'],
  'cli/': ['lib/http/schemas/', 'node:'],
  'console/': ['lib/http/schemas/', 'node:'],
  'local/': ['node:'],
  'examples/': ['local/start/', 'lib/http/schemas/', 'node:'],
  'bench/': ['lib/', 'lambdas/', 'agent/', 'local/', 'test/support/', '@aws-sdk/', 'node:'],
};

/** Imports that no rule allows, each with its reason. */
const exceptions: readonly (Import & { why: string })[] = [
  {
    from: 'lib/domain/expression.ts',
    to: 'jsonata',
    why: "the language of workflows' and schedules' expressions, which reads nothing but what it is given",
  },
  {
    from: 'lib/domain/bounded-regexp.ts',
    to: 'node:vm',
    why: "only V8's own watchdog ends a regular expression that backtracks for ever",
  },
  {
    from: 'lib/aws/idempotency-store.ts',
    to: 'lib/http/router.ts',
    why: 'types only: the router says what it needs of a store, since idempotency is a matter of HTTP',
  },
];

const roomOf = (path: string) =>
  Object.keys(rooms)
    .filter((room) => path.startsWith(room))
    .sort((a, b) => b.length - a.length)[0];

const isAllowed = ({ from, to }: Import) => {
  const room = roomOf(from);
  if (room === undefined) return true;
  if (roomOf(to) === room) return true;
  return rooms[room]!.some((allowed) => to.startsWith(allowed));
};

describe('who imports whom', () => {
  for (const room of Object.keys(rooms))
    it(`${room} keeps to what it may import`, () => {
      const wrong = imports
        .filter((one) => roomOf(one.from) === room && !isAllowed(one))
        .filter((one) => !exceptions.some((exception) => exception.from === one.from && exception.to === one.to));
      expect(wrong).toEqual([]);
    });

  it('every file with code is in a room that has rules, or is a test', () => {
    const without = code.filter((file) => file.includes('/') && !file.startsWith('test/') && !roomOf(file));
    expect(without).toEqual([]);
  });

  it('no exception is left over', () => {
    const unused = exceptions.filter((one) => !imports.some(({ from, to }) => from === one.from && to === one.to));
    expect(unused).toEqual([]);
  });

  it('a test imports the embedded AWS and the product, and nobody imports a test', () => {
    const tests = imports.filter(({ to }) => /\.test(\.ts)?$/.test(to));
    expect(tests).toEqual([]);
  });

  it('every relative import names a file that is there', () => {
    const known = new Set(files);
    const dangling = imports.filter(({ to }) => roomOf(to) !== undefined && !known.has(to) && !textOf(to));
    expect(dangling).toEqual([]);
  });
});

describe('files', () => {
  const namedByOthers = ['Dockerfile', 'LICENSE', 'README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md'];

  it('have kebab-case names', () => {
    const parts = (file: string) => file.split('/').filter((part) => !part.startsWith('.'));
    const wrong = files.filter((file) =>
      parts(file).some((part) => !namedByOthers.includes(part) && !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*$/.test(part)),
    );
    expect(wrong).toEqual([]);
  });

  it('are not called for what they have in common', () => {
    const vague = /^(utils?|helpers?|common|misc|types)(\.|$)/;
    expect(code.filter((file) => file.split('/').some((part) => vague.test(part)))).toEqual([]);
  });

  it('have at most 420 lines, tests 450', () => {
    const longest = (file: string) => (basename(file).includes('.test.') ? 450 : 420);
    const long = code.filter((file) => textOf(file)!.split('\n').length - 1 > longest(file));
    expect(long).toEqual([]);
  });

  // Put together, so that this file does not find itself.
  const unfinished = new RegExp(
    `\\b(${['TO', 'FIX'].map((word) => `${word}${word === 'TO' ? 'DO' : 'ME'}`).join('|')})\\b`,
  );

  it('leave nothing to do', () => {
    expect(code.filter((file) => unfinished.test(textOf(file)!))).toEqual([]);
  });

  it('silence the linter with a reason, and the compiler never', () => {
    const silenced = code.flatMap((file) => {
      const lines = textOf(file)!
        .split('\n')
        .map((line) => line.trim());
      return lines.filter((line) => /^\/\/ ?(biome-ignore|@ts-ignore|@ts-nocheck)/.test(line));
    });
    expect(silenced.filter((line) => !/^\/\/ biome-ignore(-start|-end)? lint\/\w+\/\w+: \w+ \w+/.test(line))).toEqual(
      [],
    );
  });

  it('use the type that allows everything only in tests', () => {
    const silenced = code.filter((file) => /biome-ignore lint\/suspicious\/noExplicitAny/.test(textOf(file)!));
    expect(silenced.filter((file) => !file.startsWith('test/'))).toEqual([]);
  });
});

describe('package-lock.json', () => {
  it('names no address, so that any registry serves it', () => {
    expect(textOf('package-lock.json')).not.toContain('"resolved"');
  });
});

describe('decisions', () => {
  const decisions = files.filter((file) => file.startsWith('docs/adr/') && file.endsWith('.md'));

  it('are numbered without gaps', () => {
    const numbers = decisions.map((file) => Number(/^(\d{4})-/.exec(basename(file))?.[1])).sort((a, b) => a - b);
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
  });

  it('have a title, a context, a decision and consequences, in this order', () => {
    const wrong = decisions.filter((file) => {
      const headings = textOf(file)!.match(/^#{1,2} .+$/gm) ?? [];
      return !/^# /.test(headings[0] ?? '') || headings.slice(1).join() !== '## Context,## Decision,## Consequences';
    });
    expect(wrong).toEqual([]);
  });
});
