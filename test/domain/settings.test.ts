import { describe, expect, it } from 'vitest';
import { withOverrides } from '../../lib/domain/settings.ts';

const spec = {
  image: 'agent:1' as string | null,
  driver: { type: 'command', command: ['sh', '-c', 'true'] } as object,
  env: { A: '1', B: '2' } as Record<string, string>,
  concurrency: 1,
  task: { timeoutSeconds: 600, retry: { initialSeconds: 1, nonRetryable: ['exit_1', 'exit_2'] } },
};

describe('overrides', () => {
  it('replace what they name and leave the rest', () => {
    expect(withOverrides(spec, { concurrency: 5 })).toEqual({ ...spec, concurrency: 5 });
  });

  it('reach into what is nested', () => {
    expect(withOverrides(spec, { task: { retry: { initialSeconds: 9 } } }).task).toEqual({
      timeoutSeconds: 600,
      retry: { initialSeconds: 9, nonRetryable: ['exit_1', 'exit_2'] },
    });
  });

  it('add to the environment', () => {
    expect(withOverrides(spec, { env: { B: '3', C: '4' } }).env).toEqual({ A: '1', B: '3', C: '4' });
  });

  it('replace lists as a whole', () => {
    expect(withOverrides(spec, { task: { retry: { nonRetryable: [] } } }).task.retry.nonRetryable).toEqual([]);
  });

  it('replace a driver as a whole', () => {
    const driver = { type: 'module', path: 'agent.ts' };
    expect(withOverrides(spec, { driver }).driver).toEqual(driver);
  });

  it('may be null', () => {
    expect(withOverrides(spec, { image: null }).image).toBeNull();
  });

  it('that are undefined are none', () => {
    expect(withOverrides(spec, { concurrency: undefined })).toEqual(spec);
  });

  it('leave the template’s specification as it is', () => {
    const before = structuredClone(spec);
    withOverrides(spec, { env: { A: 'other' }, task: { timeoutSeconds: 1 } });
    expect(spec).toEqual(before);
  });
});
