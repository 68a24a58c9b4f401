import type { Reporter, TestModule } from 'vitest/node';
import { readTarget } from '../deployed/target.ts';

/** What tests run on, by the beginnings of their paths; the first that fits counts. */
const backends: readonly (readonly [backend: string, pattern: RegExp])[] = [
  ['embedded AWS with real processes', /^test\/(e2e\/|local\/(start|ecs-process)\.)/],
  ['real shim processes', /^test\/agent\//],
  ['embedded AWS in process', /^test\/(lifecycle|grants|aws|local|app|simulation|contract)\//],
  ['deployed stack', /^test\/deployed\//],
];

/** Tells in one line how many tests ran on which backend. */
export default class BackendReport implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = new Map<string, number>();
    for (const module of modules) {
      const backend = backendOf(module.moduleId);
      const ran = [...module.children.allTests()].filter((test) => test.result().state !== 'skipped');
      counts.set(backend, (counts.get(backend) ?? 0) + ran.length);
    }
    const parts = [...counts].sort(([, one], [, other]) => other - one).map(([name, count]) => `${name} ${count}`);
    console.log(`Tests by backend: ${parts.join(', ')}`);
  }
}

export function backendOf(path: string): string {
  const relative = path.slice(path.lastIndexOf('/test/') + 1);
  const [name] = backends.find(([, pattern]) => pattern.test(relative)) ?? ['none'];
  return name === 'deployed stack' ? `stack deployed to ${readTarget().backend}` : name;
}
