import { isDeepStrictEqual } from 'node:util';
import type { Runtime, TemplateVersion } from '../ports.ts';

/** All that a launch takes from a version of a template; everything else comes with the enrolment. */
export function launchParameters({ taskDefinitionArn, taskRoleArn, spec }: TemplateVersion) {
  const { capacity, stopTimeoutSeconds } = spec;
  return { taskDefinitionArn, taskRoleArn, capacity, stopTimeoutSeconds } satisfies Partial<Runtime>;
}

/** Whether an agent of one version may take over a standby of the other. */
export function launchAlike(a: TemplateVersion, b: TemplateVersion): boolean {
  return isDeepStrictEqual(launchParameters(a), launchParameters(b));
}

/** Whether versions differ in nothing but the size of their pool, and its standbys can stay. */
export function differInPoolOnly(a: TemplateVersion, b: TemplateVersion): boolean {
  return launchAlike(a, b) && isDeepStrictEqual({ ...a.spec, warmPool: 0 }, { ...b.spec, warmPool: 0 });
}
