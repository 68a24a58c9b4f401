import { AwsError, notEmulated } from '../../errors.ts';

/** Whether a JSON value matches. `undefined` stands for a field that is not there. */
export type Matcher = (value: unknown) => boolean;

type Json = Record<string, unknown>;

const invalid = (reason: string) =>
  new AwsError('InvalidEventPatternException', `Event pattern is not valid. Reason: ${reason}`);

/** Compiles an event pattern. @throws AwsError `InvalidEventPatternException` */
export function compilePattern(source: string): Matcher {
  let pattern: unknown;
  try {
    pattern = JSON.parse(source);
  } catch {
    throw invalid('it is not JSON');
  }
  if (!isObject(pattern) || Object.keys(pattern).length === 0)
    throw invalid('it must be an object with at least one field');
  return fields(pattern, '');
}

function fields(pattern: Json, path: string): Matcher {
  const matchers = Object.entries(pattern).map(([name, rule]): Matcher => {
    const here = path ? `${path}.${name}` : name;
    if (name === '$or' && Array.isArray(rule)) return alternatives(rule, path);
    const matcher = field(rule, here);
    return (value) => matcher(isObject(value) ? value[name] : undefined);
  });
  return (value) => matchers.every((matches) => matches(value));
}

function alternatives(rules: unknown[], path: string): Matcher {
  if (rules.length < 2) throw invalid(`"$or" needs at least two patterns`);
  const matchers = rules.map((rule) => {
    if (!isObject(rule) || Object.keys(rule).length === 0) throw invalid(`"$or" takes objects only`);
    return fields(rule, path);
  });
  return (value) => matchers.some((matches) => matches(value));
}

function field(rule: unknown, path: string): Matcher {
  if (isObject(rule)) {
    if (Object.keys(rule).length === 0) throw invalid(`Empty objects are not allowed at "${path}"`);
    const nested = fields(rule, path);
    // In an array of objects one of them must match in all its fields.
    return (value) => (Array.isArray(value) && value.length > 0 ? value.some(nested) : nested(value));
  }
  if (!Array.isArray(rule)) throw invalid(`"${path}" must be an object or an array`);
  if (rule.length === 0) throw invalid(`Empty arrays are not allowed at "${path}"`);
  const leaves = rule.map((one) => leaf(one, path));
  return (value) => leaves.some((matches) => matches(value));
}

function leaf(rule: unknown, path: string): Matcher {
  if (!isObject(rule)) {
    if (Array.isArray(rule)) throw invalid(`"${path}" must not contain arrays of arrays`);
    return ofAny((value) => value === rule);
  }
  const [[name, argument] = ['', undefined], ...more] = Object.entries(rule);
  if (more.length > 0) throw invalid(`Only one key allowed in match expression at "${path}"`);
  if (name === 'exists') return exists(argument, path);
  return ofAny(filter(name, argument, path));
}

/** A leaf that is an array matches by any of its values. */
function ofAny(matches: Matcher): Matcher {
  return (value) =>
    Array.isArray(value) ? value.some(matches) : value !== undefined && !isObject(value) && matches(value);
}

function exists(argument: unknown, path: string): Matcher {
  if (typeof argument !== 'boolean') throw invalid(`exists takes true or false at "${path}"`);
  const present = (value: unknown): boolean =>
    Array.isArray(value) ? value.some(present) : value !== undefined && !isObject(value);
  return (value) => present(value) === argument;
}

function filter(name: string, argument: unknown, path: string): Matcher {
  switch (name) {
    case 'prefix':
    case 'suffix':
      return affix(name, argument, path);
    case 'equals-ignore-case':
      return ignoringCase(argument, path);
    case 'wildcard':
      return wildcard(argument, path);
    case 'numeric':
      return numeric(argument, path);
    case 'anything-but':
      return anythingBut(argument, path);
    case 'cidr':
      throw notEmulated('events', `the filter cidr of event patterns (at "${path}")`);
    default:
      throw invalid(`Unrecognized match type ${name} at "${path}"`);
  }
}

function affix(name: 'prefix' | 'suffix', argument: unknown, path: string): Matcher {
  const folded = isObject(argument) ? argument['equals-ignore-case'] : undefined;
  const text = folded ?? argument;
  if (typeof text !== 'string') throw invalid(`${name} match pattern must be a string at "${path}"`);
  const fold = (value: string) => (folded === undefined ? value : value.toLowerCase());
  const wanted = fold(text);
  if (name === 'prefix') return (value) => typeof value === 'string' && fold(value).startsWith(wanted);
  return (value) => typeof value === 'string' && fold(value).endsWith(wanted);
}

function ignoringCase(argument: unknown, path: string): Matcher {
  if (typeof argument !== 'string') throw invalid(`equals-ignore-case match pattern must be a string at "${path}"`);
  const wanted = argument.toLowerCase();
  return (value) => typeof value === 'string' && value.toLowerCase() === wanted;
}

function wildcard(argument: unknown, path: string): Matcher {
  if (typeof argument !== 'string') throw invalid(`wildcard match pattern must be a string at "${path}"`);
  const parts = argument.split(/(\\.|\*)/);
  if (/(?<!\\)\*\*/.test(argument)) throw invalid(`Consecutive wildcard characters at "${path}"`);
  if (parts.some((part) => /^\\[^*\\]$/.test(part))) throw invalid(`Invalid escape character at "${path}"`);
  const source = parts.map((part) => (part === '*' ? '.*' : literal(part.replace(/^\\(.)$/, '$1')))).join('');
  const expression = new RegExp(`^${source}$`, 's');
  return (value) => typeof value === 'string' && expression.test(value);
}

const literal = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

function numeric(argument: unknown, path: string): Matcher {
  if (!Array.isArray(argument) || (argument.length !== 2 && argument.length !== 4))
    throw invalid(`numeric takes one or two comparisons at "${path}"`);
  const comparisons: Matcher[] = [];
  for (let index = 0; index < argument.length; index += 2) {
    const [operator, limit] = [argument[index], argument[index + 1]];
    if (typeof limit !== 'number' || Math.abs(limit) > 5e9)
      throw invalid(`Value of numeric must be a number between -5.0e9 and 5.0e9 at "${path}"`);
    if (argument.length === 4 && !(index === 0 ? ['>', '>='] : ['<', '<=']).includes(String(operator)))
      throw invalid(`a numeric range is [">", from, "<", to] at "${path}"`);
    comparisons.push(comparison(String(operator), limit, path));
  }
  return (value) => typeof value === 'number' && comparisons.every((matches) => matches(value));
}

function comparison(operator: string, limit: number, path: string): Matcher {
  switch (operator) {
    case '=':
      return (value) => value === limit;
    case '<':
      return (value) => (value as number) < limit;
    case '<=':
      return (value) => (value as number) <= limit;
    case '>':
      return (value) => (value as number) > limit;
    case '>=':
      return (value) => (value as number) >= limit;
    default:
      throw invalid(`Unrecognized numeric range operator: ${operator} at "${path}"`);
  }
}

function anythingBut(argument: unknown, path: string): Matcher {
  if (isObject(argument)) {
    const [[name, inner] = ['', undefined], ...more] = Object.entries(argument);
    if (more.length > 0 || !['prefix', 'suffix', 'equals-ignore-case', 'wildcard'].includes(name))
      throw invalid(`Unsupported anything-but pattern: ${name} at "${path}"`);
    const filters = (Array.isArray(inner) ? inner : [inner]).map((one) => filter(name, one, path));
    return (value) => !filters.some((matches) => matches(value));
  }
  const refused = Array.isArray(argument) ? argument : [argument];
  if (refused.length === 0 || !refused.every((one) => ['string', 'number'].includes(typeof one)))
    throw invalid(`anything-but takes a string, a number, or a list of them at "${path}"`);
  return (value) => !refused.includes(value);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
