import jsonata from 'jsonata';
import { describe, expect, it } from 'vitest';
import { checkExpressions, ExpressionError, evaluate, stepsReadBy } from '../../lib/domain/expression.ts';
import { functionNames } from '../../lib/domain/expression-reads.ts';

const nowMs = Date.parse('2027-01-31T09:30:00.000Z');
const given = (template: unknown, bindings: Record<string, unknown> = {}) =>
  evaluate(template, bindings, { path: 'input', nowMs });
const failure = (template: unknown, bindings: Record<string, unknown> = {}) =>
  given(template, bindings).then(
    () => 'no error',
    (error: unknown) => (error as ExpressionError).message,
  );

describe('evaluating a template', () => {
  it('gives any JSON value for a text that is one expression', async () => {
    const run = { input: { pages: [{ url: 'a' }, { url: 'b' }], depth: 3 } };
    expect(await given('{% $run.input.pages.url %}', { run })).toEqual(['a', 'b']);
    expect(await given(' {%$run.input.depth + 1%}\n', { run })).toBe(4);
    expect(await given('{% {"first": $run.input.pages[0]} %}', { run })).toEqual({ first: { url: 'a' } });
  });

  it('walks objects and arrays, and leaves everything else as it is', async () => {
    const template = { a: ['{% $item %}', 'text', 7, null], b: { c: '{% $index %}' } };
    expect(await given(template, { item: { x: 1 }, index: 2 })).toEqual({
      a: [{ x: 1 }, 'text', 7, null],
      b: { c: 2 },
    });
  });

  it('gives plain arrays, without the marks that JSONata leaves on its own', async () => {
    const value = (await given('{% [1..3] %}')) as object;
    expect(Object.getOwnPropertyNames(value)).toEqual(['0', '1', '2', 'length']);
  });

  it('tells the time that it was given', async () => {
    expect(await given('{% $now() %}')).toBe('2027-01-31T09:30:00.000Z');
    expect(await given('{% $now("[Y]-[M01]") %}')).toBe('2027-01');
    expect(await given('{% $millis() %}')).toBe(nowMs);
  });

  it('refuses nothing as a value, with the expression and where it stands', async () => {
    const error = await given({ a: [{ b: '{% $run.input.url %}' }] }, { run: { input: {} } }).catch(
      (thrown: ExpressionError) => thrown,
    );
    expect(error).toBeInstanceOf(ExpressionError);
    expect(error).toMatchObject({ path: 'input.a[0].b', expression: '$run.input.url' });
    expect(String(error)).toContain('The expression {% $run.input.url %} in input.a[0].b failed: it gave nothing');
  });

  it('gives undefined for nothing when that is allowed', async () => {
    const options = { path: 'forEach', nowMs, allowNothing: true };
    expect(await evaluate('{% $run.none %}', { run: {} }, options)).toBeUndefined();
  });

  it('says what went wrong, and where in the expression', async () => {
    expect(await failure('{% 1 + "a" %}')).toBe(
      'The expression {% 1 + "a" %} in input failed: The right side of the "+" operator must evaluate to a number (at character 3).',
    );
    expect(await failure('{% $error("no pages") %}')).toContain('failed: no pages');
  });

  it('refuses a function as a value', async () => {
    expect(await failure('{% $sum %}')).toContain('a function instead of a value');
    expect(await failure('{% function($x){$x} %}')).toContain('a function instead of a value');
  });
});

describe('what an expression may not do', () => {
  it('run for ever', async () => {
    expect(await failure('{% ($f := function($n){$f($n + 1)}; $f(0)) %}')).toMatch(/1000|timeout|too long/);
  });

  it('recurse without end', async () => {
    expect(await failure('{% ($f := function($n){1 + $f($n)}; $f(0)) %}')).toMatch(/500|[Ss]tack/);
  });

  it('match a regular expression for ever', async () => {
    const text = `${'a'.repeat(40)}b`;
    expect(await failure('{% $match($run, /^(a+)+$/) %}', { run: text })).toContain('took longer than 250 ms');
  });

  it('make what fills the memory', async () => {
    expect(await failure('{% [1..1000000] %}')).toMatch(/100000|1000000/);
    expect(await failure('{% $pad("", 1000000000) %}')).toContain('at most 100000 characters');
    const doubled = '{% $reduce([1..22], function($a, $b){$a & $a}, "0123456789") %}';
    expect(await failure(doubled)).toContain('more than 8388608 bytes');
  });

  it('reach what is outside its bindings', async () => {
    expect(await failure('{% $eval("1") %}')).toContain('$eval is not available');
    for (const name of ['constructor', '__proto__', 'prototype'])
      expect(await failure(`{% $run.${name} %}`, { run: { a: [] } })).toContain('gave nothing');
    expect(await failure('{% $process %}')).toContain('gave nothing');
  });

  it('change its bindings', async () => {
    const run = { input: { a: 1 } };
    await given('{% $run ~> |input|{"a": 2}| %}', { run });
    expect(run).toEqual({ input: { a: 1 } });
  });
});

describe('a regular expression', () => {
  it('matches, splits and replaces as ever', async () => {
    expect(await given('{% $match("a1b22", /[0-9]+/).match %}')).toEqual(['1', '22']);
    expect(await given('{% $split("a, b,c", /, ?/) %}')).toEqual(['a', 'b', 'c']);
    expect(await given('{% $replace("John Smith", /(\\w+)\\s(\\w+)/, "$2 $1") %}')).toBe('Smith John');
  });
});

describe('$pad', () => {
  it.each([
    ['{% $pad("ab", 4) %}', 'ab  '],
    ['{% $pad("ab", -5, "xy") %}', 'xyxab'],
    ['{% $pad("ab", 1) %}', 'ab'],
  ])('%s gives "%s", as in JSONata', async (expression, text) => {
    expect(await given(expression)).toBe(text);
    expect(await jsonata(expression.slice(2, -2)).evaluate(null)).toBe(text);
  });
});

describe('checking a template', () => {
  it('finds what does not parse, with its path', () => {
    expect(checkExpressions({ a: [{ url: '{% $run.( %}' }] }, 'steps[0].input', ['run'])).toEqual([
      {
        path: 'steps[0].input.a[0].url',
        message: expect.stringContaining('Received "{% $run.( %}", which is not JSONata:'),
      },
    ]);
  });

  it('finds a variable that is not there, and names those that are', () => {
    expect(checkExpressions('{% $itme.url %}', 'input', ['run', 'item'])).toEqual([
      { path: 'input', message: 'Received "{% $itme.url %}"; there is no $itme here. $run, $item may be used.' },
    ]);
  });

  it('accepts the variables that an expression binds itself', () => {
    const bound = '{% ($a := 1; $f := function($v, $i){$v + $a}; $map($run.list@$x#$n.($x + $n), $f)) %}';
    expect(checkExpressions(bound, 'input', ['run'])).toEqual([]);
  });

  it('finds an expression within a longer text, which would stay as it is', () => {
    const [issue] = checkExpressions('page {% $item %}', 'input', ['item']);
    expect(issue?.message).toContain('an expression must be the whole text');
  });

  it('finds nothing wrong in text that only looks a little like one', () => {
    expect(checkExpressions(['100 %}', '{ % }', '{%', 'a {% b'], 'input', [])).toEqual([]);
  });

  it("knows all of JSONata's functions", async () => {
    for (const name of functionNames) expect(await jsonata(`$type($${name})`).evaluate(null), name).toBe('function');
    expect(checkExpressions(`{% [${functionNames.map((name) => `$${name}`).join()}] %}`, '', [])).toEqual([]);
  });
});

describe('the steps that a template reads', () => {
  it.each([
    ['{% $steps.read.output.pages %}', ['read'], false],
    ['{% $steps.`read-all`.output & $steps."b".error.message %}', ['read-all', 'b'], false],
    ['{% $lookup($steps, "read").output %}', ['read'], false],
    ['{% $steps.*.output %}', [], true],
    ['{% $lookup($steps, $item) %}', [], true],
    ['{% $steps.(read.output) %}', [], true],
    ['{% $map([1, 2], function($n){$steps.a.output[$n]}) %}', ['a'], false],
    ['steps.read', [], false],
  ])('are told from %s', (template, names, any) => {
    expect(stepsReadBy({ input: [template] })).toEqual({ names: new Set(names), any });
  });
});
