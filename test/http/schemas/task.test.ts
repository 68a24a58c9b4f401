import { describe, expect, test } from 'vitest';
import { parseOrThrow } from '../../../lib/http/issues.ts';
import { createTaskBody } from '../../../lib/http/schemas/task.ts';
import { problemsOf } from './problems-of.ts';

const refused = (fields: object) => problemsOf(createTaskBody, { input: 'hello', ...fields });

describe('the input of a task', () => {
  test.each([['text'], [''], [0], [null], [false], [[1, 2]], [{ a: { b: 1 } }]])('may be %j', (input) => {
    expect(parseOrThrow(createTaskBody, { input }).input).toEqual(input);
  });

  test('is required', () => {
    expect(problemsOf(createTaskBody, {}).issues).toEqual(['input: This field is required (a string or any JSON).']);
  });

  test('may refer to an upload', () => {
    expect(refused({ input: { $ref: 'upl_01JQZ8X4T2V6W8Y0A1B2C3D4E5' } }).issues).toEqual([]);
  });

  test.each([[{ $ref: 'x' }], [{ $ref: 'upl_01JQZ8X4T2V6W8Y0A1B2C3D4E5', more: 1 }], [{ $ref: 5 }]])(
    'is no upload as %j',
    (input) => {
      expect(refused({ input }).issues[0]).toContain('input.$ref: An input with "$ref" has this one key');
    },
  );
});

describe('the defaults of a task', () => {
  test('are text, priority 0, enqueue and no metadata', () => {
    expect(parseOrThrow(createTaskBody, { input: 'x' })).toEqual({
      input: 'x',
      output: { type: 'text' },
      priority: 0,
      onBusy: 'enqueue',
      metadata: {},
    });
  });
});

describe('the output of a task', () => {
  test('may be JSON with a schema that compiles', () => {
    const schema = { type: 'object', properties: { a: { $ref: '#/$defs/a' } }, $defs: { a: { type: 'string' } } };
    expect(refused({ output: { type: 'json', schema } }).issues).toEqual([]);
  });

  test('may have a schema of draft-07', () => {
    const schema = { $schema: 'http://json-schema.org/draft-07/schema#', type: 'string' };
    expect(refused({ output: { type: 'json', schema } }).issues).toEqual([]);
  });

  test.each([
    ['a wrong type', { type: 'strin' }],
    ['a reference that leads nowhere', { $ref: '#/nowhere' }],
    ['a reference to another document', { $ref: 'https://example.com/schema' }],
    ['a pattern that is no pattern', { pattern: '(' }],
    ['a check that answers later', { $async: true }],
  ])('may not have a schema with %s', (_what, schema) => {
    expect(refused({ output: { type: 'json', schema } }).issues[0]).toContain(
      'output.schema: The JSON Schema does not compile',
    );
  });

  test('may not have a schema that is no object', () => {
    expect(refused({ output: { type: 'json', schema: 'string' } }).issues[0]).toContain('is an object, true or false');
  });

  test('may not have a huge schema', () => {
    const schema = { enum: ['x'.repeat(17_000)] };
    expect(refused({ output: { type: 'json', schema } }).issues[0]).toContain('at most 16384 are allowed');
  });

  test('has a schema only as JSON', () => {
    expect(refused({ output: { type: 'text', schema: {} } }).issues).toEqual([
      'output.schema: A schema goes with type "json" only.',
    ]);
  });

  test('needs patterns for files', () => {
    expect(refused({ output: { type: 'files' } }).issues).toEqual([
      'output.files: Type "files" needs at least one pattern.',
    ]);
  });

  test.each([[['/etc/*']], [['../x']], [['a/../../b']], [[]], [Array(21).fill('*')]])(
    'refuses the patterns %j',
    (files) => {
      expect(refused({ output: { type: 'files', files } }).code).toBe('invalid');
    },
  );
});

describe('the fields of a task', () => {
  test.each([
    [{ priority: 601 }],
    [{ priority: -601 }],
    [{ priority: 0.5 }],
    [{ expiresInSeconds: 0 }],
    [{ timeoutSeconds: 604_801 }],
    [{ maxAttempts: 0 }],
    [{ budget: { tokens: 0 } }],
    [{ budget: { tokens: 1.5 } }],
    [{ budget: { costUsd: 0 } }],
    [{ budget: { dollars: 1 } }],
    [{ budget: 100 }],
    [{ notBefore: 'tomorrow' }],
    [{ notBefore: '2027-02-30T00:00:00Z' }],
    [{ notBefore: '2027-01-01T00:00:00' }],
    [{ metadata: { a: 'x'.repeat(2048) } }],
    [{ metadata: [] }],
    [{ onBusy: 'panic' }],
  ])('%j is refused', (fields) => {
    expect(refused(fields).code).toBe('invalid');
  });

  test('a time with an offset becomes UTC with milliseconds', () => {
    const { notBefore } = parseOrThrow(createTaskBody, { input: '', notBefore: '2027-01-31T10:30:00+01:00' });
    expect(notBefore).toBe('2027-01-31T09:30:00.000Z');
  });

  test.each([[{ sessionId: 's' }], [{ sessionId: null }], [{ onBusy: 'interrupt' }], [{ onBusy: 'rollback' }]])(
    '%j is known, but not supported yet',
    (fields) => {
      const { code, issues } = refused(fields);
      expect(code).toBe('not_supported');
      expect(issues[0]).toContain(Object.keys(fields)[0]);
    },
  );

  test('not_supported wins over other faults, and all of them are named', () => {
    const { code, issues } = refused({ sessionId: 's', prio: 1 });
    expect(code).toBe('not_supported');
    expect(issues).toHaveLength(2);
  });
});
