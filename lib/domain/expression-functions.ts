/** Functions of JSONata that could take more than an expression may, in other words. */

const longestPadding = 100_000;

/** JSONata's own makes a text of any length that it is asked for. */
export function padded(text: string | undefined, width: number, filling = ' '): string | undefined {
  if (text === undefined) return undefined;
  if (Math.abs(width) > longestPadding) throw new Error(`$pad makes at most ${longestPadding} characters`);
  const missing = Math.abs(Math.trunc(width)) - [...text].length;
  if (missing <= 0) return text;
  const padding = [...(filling || ' ').repeat(missing)].slice(0, missing).join('');
  return width > 0 ? text + padding : padding + text;
}

/** What JSONata calls its functions on. */
interface Focus {
  createSequence(): unknown[];
}

/** JSONata's own compares each item with all that were found, and no time limit ends it. */
export function distinct(this: unknown, items: unknown): unknown {
  if (!Array.isArray(items) || items.length <= 1) return items;
  const found = 'sequence' in items ? (this as Focus).createSequence() : [];
  const seen = new Set<unknown>();
  for (const item of items) {
    const identity = identityOf(item);
    if (seen.has(identity)) continue;
    seen.add(identity);
    found.push(item);
  }
  return found;
}

/** The same for values that are the same JSON, whatever the order of their names. */
function identityOf(value: unknown): unknown {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object' || value === null || isFunction(value)) return value;
  return JSON.stringify(value, (_, member: unknown) => {
    if (typeof member !== 'object' || member === null || Array.isArray(member)) return member;
    if (isFunction(member)) return 'function';
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function isFunction(value: object): boolean {
  return '_jsonata_lambda' in value || '_jsonata_function' in value;
}
