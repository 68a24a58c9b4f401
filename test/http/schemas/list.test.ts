import { describe, expect, test } from 'vitest';
import { parseOrThrow } from '../../../lib/http/issues.ts';
import { createAgentBody, listAgentsQuery, patchAgentBody, pauseBody } from '../../../lib/http/schemas/agent.ts';
import { listEventsQuery } from '../../../lib/http/schemas/event.ts';
import { encodeCursor } from '../../../lib/http/schemas/page.ts';
import { createUploadBody } from '../../../lib/http/schemas/upload.ts';
import { problemsOf } from './problems-of.ts';

describe('lists', () => {
  test('have 50 items a page and any filter unless told', () => {
    expect(parseOrThrow(listAgentsQuery, {})).toEqual({ status: [], template: [], label: [], limit: 50 });
  });

  test.each(['0', '201', '1.5', 'x', '', '-1', '1e2'])('refuse the limit "%s"', (limit) => {
    expect(problemsOf(listAgentsQuery, { limit }).issues[0]).toContain('limit: ');
  });

  test('filter by one or more values', () => {
    const query = parseOrThrow(listAgentsQuery, { status: ['paused', 'error'], template: 'reader', label: 'team:a:b' });
    expect(query).toMatchObject({
      status: ['paused', 'error'],
      template: ['reader'],
      label: [{ key: 'team', value: 'a:b' }],
    });
  });

  test('refuse an unknown status with the known ones', () => {
    expect(problemsOf(listAgentsQuery, { status: 'stopped' }).issues[0]).toContain(
      'allowed: paused, starting, running',
    );
  });

  test('refuse a label without a value', () => {
    expect(problemsOf(listAgentsQuery, { label: 'team' }).issues[0]).toContain('key:value');
  });

  test('go on at a cursor that they gave', () => {
    const position = { at: 5, id: 'agt_e' };
    expect(parseOrThrow(listAgentsQuery, { cursor: encodeCursor(position) }).cursor).toEqual(position);
  });

  test.each([
    '',
    'x',
    '!!!',
    encodeCursor({}).slice(0, -1),
    Buffer.from('[1]').toString('base64url'),
    Buffer.from('{"a":{}}').toString('base64url'),
  ])('refuse the cursor "%s"', (cursor) => {
    expect(problemsOf(listAgentsQuery, { cursor }).issues).toEqual([expect.stringContaining('nextCursor')]);
  });

  test('wait at most 25 seconds', () => {
    expect(parseOrThrow(listEventsQuery, { waitSeconds: '25' }).waitSeconds).toBe(25);
    expect(problemsOf(listEventsQuery, { waitSeconds: '26' }).code).toBe('invalid');
  });

  test('of events refuse ids that cannot exist', () => {
    expect(problemsOf(listEventsQuery, { agentId: 'agt_1' }).issues[0]).toContain('agt_ and a ULID');
  });
});

describe('agents', () => {
  test('are created with no labels and not started unless told', () => {
    expect(parseOrThrow(createAgentBody, { template: 'reader' })).toEqual({
      template: 'reader',
      labels: {},
      start: false,
    });
  });

  test.each(['Reader', '-a', '', 'a'.repeat(64), 'a_b'])('refuse the template name "%s"', (template) => {
    expect(problemsOf(createAgentBody, { template }).issues[0]).toContain('template: ');
  });

  test('are not patched with nothing', () => {
    expect(problemsOf(patchAgentBody, {}).issues).toEqual([
      ': Nothing to change; allowed are name, labels, overrides and templateVersion.',
    ]);
  });

  test('are paused gently unless told', () => {
    expect(parseOrThrow(pauseBody, {})).toEqual({ force: false, hold: false });
  });
});

describe('uploads', () => {
  test('have at most 100 MiB', () => {
    expect(problemsOf(createUploadBody, { sizeBytes: 104_857_601 }).code).toBe('invalid');
    expect(problemsOf(createUploadBody, { sizeBytes: 104_857_600 }).issues).toEqual([]);
  });

  test('refuse a content type that could smuggle a header', () => {
    expect(problemsOf(createUploadBody, { contentType: 'a/b\r\nx: y' }).code).toBe('invalid');
  });
});
