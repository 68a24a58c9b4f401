import { describe, expect, it } from 'vitest';
import { Conflict, type TemplateSpec, type TemplateVersion } from '../../lib/app/ports.ts';
import { TemplateStore } from '../../lib/aws/template-store.ts';
import { agentId, nowMs } from '../support/builders.ts';
import { crashAfter, makeTables } from './tables.ts';

const tenant = 'default';

/** The store does not look into a specification. */
const spec = { image: null, cpu: 256 } as TemplateSpec;
const version = (number: number, differs: Partial<TemplateVersion> = {}): TemplateVersion => ({
  name: 'words',
  version: number,
  spec,
  taskDefinitionArn: `arn:definition:${number}`,
  taskRoleArn: 'arn:role',
  createdMs: nowMs,
  ...differs,
});

async function setUp() {
  const { state, environment } = await makeTables();
  return { templates: new TemplateStore(state), twin: new TemplateStore(state), environment };
}

describe('a template', () => {
  it('is its newest version, and keeps the earlier ones', async () => {
    const { templates } = await setUp();
    await templates.put(tenant, version(1));
    await templates.put(tenant, version(2));
    expect(await templates.get(tenant, 'words')).toEqual(version(2));
    expect(await templates.get(tenant, 'words', 1)).toEqual(version(1));
    expect(await templates.get(tenant, 'words', 3)).toBeUndefined();
    expect(await templates.lastVersion(tenant, 'words')).toBe(2);
  });

  it('that nobody made is none', async () => {
    const { templates } = await setUp();
    expect(await templates.get(tenant, 'words')).toBeUndefined();
    expect(await templates.lastVersion(tenant, 'words')).toBe(0);
  });

  it('gets one version of two that are made at once', async () => {
    const { templates, twin } = await setUp();
    await templates.put(tenant, version(1));
    const outcomes = await Promise.allSettled([
      templates.put(tenant, version(2)),
      twin.put(tenant, version(2, { taskDefinitionArn: 'arn:other' })),
    ]);
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused.map((outcome) => outcome.reason)).toEqual([expect.any(Conflict)]);
    expect(await templates.get(tenant, 'words')).toEqual(await twin.get(tenant, 'words', 2));
  });

  it('gets the version that a crash left half made', async () => {
    const { templates, environment } = await setUp();
    crashAfter(environment, 'PutItem');
    await expect(templates.put(tenant, version(1))).rejects.toThrow('InternalServerError');
    expect(await templates.get(tenant, 'words')).toBeUndefined();
    await templates.put(tenant, version(1));
    expect(await templates.get(tenant, 'words')).toEqual(version(1));
  });

  it('never goes back to an earlier version', async () => {
    const { templates } = await setUp();
    await templates.put(tenant, version(2));
    await expect(templates.put(tenant, version(1))).rejects.toThrow(Conflict);
    expect((await templates.get(tenant, 'words'))?.version).toBe(2);
  });

  it('that is deleted keeps its versions, and their count', async () => {
    const { templates } = await setUp();
    await templates.put(tenant, version(1));
    await templates.delete(tenant, 'words');
    await templates.delete(tenant, 'words');
    expect(await templates.get(tenant, 'words')).toBeUndefined();
    expect(await templates.get(tenant, 'words', 1)).toEqual(version(1));
    expect(await templates.lastVersion(tenant, 'words')).toBe(1);
    expect((await templates.page(tenant, 10, undefined)).items).toEqual([]);
    await templates.put(tenant, version(2));
    expect((await templates.get(tenant, 'words'))?.version).toBe(2);
  });

  it('of another tenant is another', async () => {
    const { templates } = await setUp();
    await templates.put(tenant, version(1));
    await templates.get(tenant, 'words', 1);
    expect(await templates.get('other', 'words', 1)).toBeUndefined();
    expect((await templates.page('other', 10, undefined)).items).toEqual([]);
  });
});

describe('a version', () => {
  it('is read once', async () => {
    const { templates, environment } = await setUp();
    await templates.put(tenant, version(1));
    await templates.get(tenant, 'words', 1);
    environment.faults.add(() => ({ kind: 'error', code: 'InternalServerError' }));
    expect(await templates.get(tenant, 'words', 1)).toEqual(version(1));
  });
});

describe('the list of templates', () => {
  it('comes page by page', async () => {
    const { templates } = await setUp();
    const names = ['a', 'b', 'c', 'd', 'e'];
    for (const name of names) await templates.put(tenant, version(1, { name }));
    const seen: string[] = [];
    let before: string | undefined;
    do {
      const page = await templates.page(tenant, 2, before);
      seen.push(...page.items.map((item) => item.name));
      before = page.next;
    } while (before);
    expect(seen).toEqual(names.reverse());
  });
});

describe('the agents of a template', () => {
  it('are remembered once, until they are removed', async () => {
    const { templates } = await setUp();
    await templates.addUser(tenant, 'words', agentId);
    await templates.addUser(tenant, 'words', agentId);
    expect(await templates.users(tenant, 'words', 10)).toEqual([agentId]);
    await templates.removeUser(tenant, 'words', agentId);
    await templates.removeUser(tenant, 'words', agentId);
    expect(await templates.users(tenant, 'words', 10)).toEqual([]);
  });
});
