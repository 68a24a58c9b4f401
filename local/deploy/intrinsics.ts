import type { Template } from './assembly.ts';

/** What references resolve to. */
export interface Scope {
  ref(logicalId: string): unknown;
  attribute(logicalId: string, name: string): unknown;
  availabilityZones: string[];
}

/** A CloudFormation value without its intrinsic functions. @throws Error for a function that is not known. */
export function evaluate(value: unknown, scope: Scope): unknown {
  if (Array.isArray(value)) return value.map((item) => evaluate(item, scope)).filter((item) => item !== undefined);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const [name, argument] = entries[0] ?? [];
  if (entries.length === 1 && name !== undefined && (name === 'Ref' || name.startsWith('Fn::'))) {
    return evaluateFunction(name, argument, scope);
  }
  const result: Record<string, unknown> = {};
  for (const [key, item] of entries) {
    const evaluated = evaluate(item, scope);
    if (evaluated !== undefined) result[key] = evaluated;
  }
  return result;
}

function evaluateFunction(name: string, argument: unknown, scope: Scope): unknown {
  switch (name) {
    case 'Ref':
      return scope.ref(String(argument));
    case 'Fn::GetAtt': {
      const [logicalId, ...attribute] = Array.isArray(argument) ? argument.map(String) : String(argument).split('.');
      return scope.attribute(logicalId ?? '', attribute.join('.'));
    }
    case 'Fn::Join': {
      const [separator, parts] = argument as [string, unknown];
      return list(name, evaluate(parts, scope)).map(String).join(separator);
    }
    case 'Fn::Split': {
      const [separator, text] = argument as [string, unknown];
      return String(evaluate(text, scope)).split(separator);
    }
    case 'Fn::Select': {
      const [index, items] = argument as [unknown, unknown];
      const chosen = list(name, evaluate(items, scope))[Number(evaluate(index, scope))];
      if (chosen === undefined) throw new Error(`Fn::Select: there is no item ${index}.`);
      return chosen;
    }
    case 'Fn::GetAZs':
      return scope.availabilityZones;
    case 'Fn::Sub':
      return substitute(argument, scope);
    default:
      throw new Error(`The local deploy does not know the intrinsic function ${name}.`);
  }
}

function list(name: string, value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new Error(`${name} needs a list, received ${JSON.stringify(value)}.`);
  return value;
}

function substitute(argument: unknown, scope: Scope): string {
  const [text, variables]: [unknown, Record<string, unknown>] = Array.isArray(argument)
    ? [argument[0], argument[1]]
    : [argument, {}];
  return String(text).replace(/\$\{(!?)([^}]+)\}/g, (_whole, literal: string, name: string) => {
    if (literal) return `\${${name}}`;
    if (name in variables) return String(evaluate(variables[name], scope));
    const dot = name.indexOf('.');
    return String(dot < 0 ? scope.ref(name) : scope.attribute(name.slice(0, dot), name.slice(dot + 1)));
  });
}

/** Logical ids that a value refers to. */
export function references(value: unknown, found = new Set<string>()): Set<string> {
  if (Array.isArray(value)) for (const item of value) references(item, found);
  else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      if (key === 'Ref') found.add(String(item));
      else if (key === 'Fn::GetAtt') found.add(String(Array.isArray(item) ? item[0] : String(item).split('.')[0]));
      else if (key === 'Fn::Sub') {
        const text = String(Array.isArray(item) ? item[0] : item);
        for (const [, name] of text.matchAll(/\$\{([^!}][^}]*)\}/g)) found.add(name!.split('.')[0]!);
        if (Array.isArray(item)) references(item[1], found);
      } else references(item, found);
    }
  }
  return found;
}

/** The resources of a template, each after those that it needs. @throws Error when they need each other in a circle. */
export function inDependencyOrder(template: Template): string[] {
  const order: string[] = [];
  const state = new Map<string, 'visiting' | 'done'>();
  const visit = (logicalId: string, path: string[]) => {
    const resource = template.Resources[logicalId];
    if (!resource || state.get(logicalId) === 'done') return;
    if (state.get(logicalId) === 'visiting')
      throw new Error(`Circular dependency between resources: ${[...path, logicalId].join(' -> ')}.`);
    state.set(logicalId, 'visiting');
    const needed = references(resource.Properties);
    for (const dependency of [resource.DependsOn ?? []].flat()) needed.add(dependency);
    for (const dependency of needed) visit(dependency, [...path, logicalId]);
    state.set(logicalId, 'done');
    order.push(logicalId);
  };
  for (const logicalId of Object.keys(template.Resources)) visit(logicalId, []);
  return order;
}
