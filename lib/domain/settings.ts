/** Merges what an agent has different over its template's specification, field by field. */
export function withOverrides<Spec extends object>(spec: Spec, overrides: Record<string, unknown>): Spec {
  const merged: Record<string, unknown> = { ...(spec as Record<string, unknown>) };
  for (const [name, value] of Object.entries(overrides)) {
    if (value === undefined) continue;
    const own = merged[name];
    // A driver is one thing: half of one and half of another would be neither.
    merged[name] = name !== 'driver' && isPlain(own) && isPlain(value) ? withOverrides(own, value) : value;
  }
  return merged as Spec;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What overrides and template say together that neither says alone, and that can't be. The path is of the overrides. */
export function contradictionIn(spec: {
  env: Record<string, string>;
  secrets: Record<string, string>;
  task: { retry: { initialSeconds: number; maxSeconds: number } };
}): { path: string; message: string } | undefined {
  const { initialSeconds, maxSeconds } = spec.task.retry;
  if (maxSeconds < initialSeconds) {
    const message = `With the template's settings initialSeconds is ${initialSeconds} and maxSeconds ${maxSeconds}; at least initialSeconds is allowed.`;
    return { path: 'overrides.task.retry.maxSeconds', message };
  }
  const name = Object.keys(spec.env).find((variable) => Object.hasOwn(spec.secrets, variable));
  if (name === undefined) return undefined;
  return { path: `overrides.env.${name}`, message: `"${name}" is a secret of the template; keep one of them.` };
}
