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
