import { describe, expect, test } from 'vitest';
import {
  claimBody,
  completeBody,
  enrollBody,
  failBody,
  stopBody,
  taskEventsBody,
  workspaceBody,
} from '../../../lib/http/schemas/runtime.ts';
import { problemsOf } from './problems-of.ts';

const usage = { wallSeconds: 1.5, vcpuSeconds: 0.3, memoryGiBSeconds: 0.1, inputTokens: 0, outputTokens: 0 };
const held = { fence: 1, place: '1801387800000' };
const runtimeId = 'rt_01JQZ8X4T2V6W8Y0A1B2C3D4E5';

describe('enrolment', () => {
  const request = {
    runtimeId,
    agentId: 'agt_01JQZ8X4T2V6W8Y0A1B2C3D4E5',
    tenant: 'default',
    nonce: Buffer.alloc(32, 7).toString('base64'),
    identity: {
      url: 'https://sts.eu-central-1.amazonaws.com/',
      headers: { host: 'sts.eu-central-1.amazonaws.com' },
      body: 'Action=GetCallerIdentity&Version=2011-06-15',
    },
  };

  test('takes a signed GetCallerIdentity', () => {
    expect(problemsOf(enrollBody, request).issues).toEqual([]);
  });

  test('takes no other call than GetCallerIdentity', () => {
    const identity = { ...request.identity, body: 'Action=AssumeRole&Version=2011-06-15' };
    expect(problemsOf(enrollBody, { ...request, identity }).issues[0]).toContain('identity.body');
  });

  test('refuses a short nonce without showing it', () => {
    const { issues } = problemsOf(enrollBody, { ...request, nonce: 'c2VjcmV0' });
    expect(issues).toEqual(['nonce: The nonce is not the base64 of 32 bytes.']);
  });
});

describe('the answers of a runtime', () => {
  test('complete with an output, which may be null', () => {
    expect(problemsOf(completeBody, { ...held, output: null, usage, slots: 1 }).issues).toEqual([]);
  });

  test('complete with a reference to a large output', () => {
    const outputRef = { key: 'tasks/default/x', bytes: 70_000 };
    expect(problemsOf(completeBody, { ...held, outputRef, usage, slots: 1 }).issues).toEqual([]);
  });

  test('do not complete with neither or both', () => {
    expect(problemsOf(completeBody, { ...held, usage, slots: 1 }).code).toBe('invalid');
    const both = { ...held, output: 1, outputRef: { key: 'k', bytes: 1 }, usage, slots: 1 };
    expect(problemsOf(completeBody, both).code).toBe('invalid');
  });

  test.each(['exit_1', 'exit_137', 'timed_out', 'command_not_found', 'my_code'])('fail with the code %s', (code) => {
    expect(problemsOf(failBody, { ...held, code, message: '', usage, slots: 0 }).issues).toEqual([]);
  });

  test('need a fence', () => {
    const { issues } = problemsOf(failBody, { place: '1', code: 'exit_1', message: '', usage, slots: 0 });
    expect(issues).toEqual(['fence: This field is required (an integer).']);
  });
});

describe('the other calls of a runtime', () => {
  test('claim for its slots and tell what runs', () => {
    expect(problemsOf(claimBody, { slots: 1, running: [] }).issues).toEqual([]);
  });

  test('send at most 500 lines at once', () => {
    const line = { time: '2027-01-31T09:30:00.000Z', stream: 'stdout', line: 'x' };
    expect(problemsOf(taskEventsBody, { ...held, lines: Array(500).fill(line) }).issues).toEqual([]);
    expect(problemsOf(taskEventsBody, { ...held, lines: Array(501).fill(line) }).code).toBe('invalid');
  });

  test('save a generation with the hash of its manifest', () => {
    const saved = { generation: 1, parent: null, manifestKey: 'agents/a/m.json', bytes: 1, files: 1 };
    expect(problemsOf(workspaceBody, { ...saved, manifestSha256: 'a'.repeat(64) }).issues).toEqual([]);
    expect(problemsOf(workspaceBody, { ...saved, manifestSha256: 'A' }).code).toBe('invalid');
  });

  test('stop for a known reason', () => {
    expect(problemsOf(stopBody, { reason: 'idle' }).issues).toEqual([]);
    expect(problemsOf(stopBody, { reason: 'bored' }).issues[0]).toContain('idle, requested, lifetime, signal');
  });
});
