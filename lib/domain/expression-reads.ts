/** What can be told of an expression from its text alone, by walking JSONata's syntax tree. */

export interface StepReads {
  /** Steps that are read by their names. */
  names: Set<string>;
  /** Some are chosen only while it runs: it may read any. */
  any: boolean;
}

/** A node as far as it is looked at; all else in it is found by looking at its members. */
interface Node {
  type?: unknown;
  value?: unknown;
  steps?: unknown;
  arguments?: unknown;
  procedure?: unknown;
  predicate?: unknown;
  focus?: unknown;
  index?: unknown;
  lhs?: unknown;
}

/** JSONata's own functions; a test holds this list against the package. */
const functions =
  'sum count max min average string substring substringBefore substringAfter lowercase uppercase length trim pad match contains replace split join formatNumber formatBase formatInteger parseInteger number floor ceil round abs sqrt power random boolean not map zip filter single reduce sift keys lookup append exists spread merge reverse each error assert type sort shuffle distinct base64encode base64decode encodeUrlComponent encodeUrl decodeUrlComponent decodeUrl toMillis fromMillis clone now millis';

export const functionNames: readonly string[] = functions.split(' ');
const known = new Set(functionNames);

/** Variables that an expression neither binds itself nor gets from JSONata. */
export function freeVariables(ast: unknown): string[] {
  const used = new Set<string>();
  const bound = new Set<string>();
  walk(ast, (node) => {
    if (node.type === 'variable') used.add(String(node.value));
    if (node.type === 'bind') bound.add(String((node.lhs as Node).value));
    if (node.type === 'lambda') for (const argument of node.arguments as Node[]) bound.add(String(argument.value));
    if (typeof node.focus === 'string') bound.add(node.focus);
    if (typeof node.index === 'string') bound.add(node.index);
  });
  // "$" and "$$" are the present and the outermost input.
  return [...used].filter((name) => name !== '' && name !== '$' && !bound.has(name) && !known.has(name));
}

/** The steps that an expression reads as `$steps.name`, or with `$lookup($steps, "name")`. */
export function stepReads(ast: unknown): StepReads {
  const names = new Set<string>();
  let named = 0;
  let mentioned = 0;
  walk(ast, (node) => {
    if (isSteps(node)) mentioned += 1;
    const name = nameRead(node);
    if (name === undefined) return;
    names.add(name);
    named += 1;
  });
  return { names, any: mentioned > named };
}

function nameRead(node: Node): string | undefined {
  if (node.type === 'path') {
    const [first, second] = node.steps as Node[];
    return isSteps(first) && !first?.predicate && second?.type === 'name' ? String(second.value) : undefined;
  }
  if (node.type !== 'function' || (node.procedure as Node | undefined)?.value !== 'lookup') return undefined;
  const [first, second] = node.arguments as Node[];
  return isSteps(first) && second?.type === 'string' ? String(second.value) : undefined;
}

function isSteps(node: Node | undefined): boolean {
  return node?.type === 'variable' && node.value === 'steps';
}

function walk(value: unknown, visit: (node: Node) => void): void {
  if (typeof value !== 'object' || value === null || value instanceof RegExp) return;
  if (!Array.isArray(value)) visit(value);
  for (const member of Object.values(value)) walk(member, visit);
}
