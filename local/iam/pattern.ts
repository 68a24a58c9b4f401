/** What IAM knows about a request, by key in lower case, such as `aws:principaltag/tenant`. */
export type Context = Readonly<Record<string, string | readonly string[] | undefined>>;

/** A text of a policy, which may contain `*`, `?` and variables such as `${aws:PrincipalTag/tenant}`. */
export interface Pattern {
  readonly source: string;
  /** Undefined when a variable has no value: then the pattern is like nothing. */
  matches(text: string, context: Context): boolean;
}

export interface PatternOptions {
  /** Actions are compared without regard to case. */
  ignoreCase?: boolean;
  /** Without wildcards, as StringEquals compares: only variables are filled in. */
  literal?: boolean;
}

/** A variable is kept apart from the text around it: what a tag contains is never a wildcard. */
const variable = /\$\{([^}]*)\}/;
const maxFilledIn = 2_000;

export function compilePattern(source: string, options: PatternOptions = {}): Pattern {
  const flags = options.ignoreCase ? 'is' : 's';
  const translate = (text: string) => (options.literal ? literally(text) : wildcards(text));
  if (source === '*' && !options.literal) return { source, matches: () => true };
  const parts = source.split(variable);
  if (parts.length === 1) {
    if (options.literal || !/[*?]/.test(source)) {
      const wanted = options.ignoreCase ? source.toLowerCase() : source;
      return { source, matches: (text) => (options.ignoreCase ? text.toLowerCase() : text) === wanted };
    }
    const expression = new RegExp(`^${translate(source)}$`, flags);
    return { source, matches: (text) => expression.test(text) };
  }
  const filledIn = new Map<string, RegExp>();
  const matches = (text: string, context: Context): boolean => {
    let pattern = '';
    for (let i = 0; i < parts.length; i++) {
      const value = i % 2 === 0 ? translate(parts[i]!) : variableValue(parts[i]!, context);
      if (value === undefined) return false;
      pattern += value;
    }
    let expression = filledIn.get(pattern);
    if (!expression) {
      if (filledIn.size >= maxFilledIn) filledIn.clear();
      expression = new RegExp(`^${pattern}$`, flags);
      filledIn.set(pattern, expression);
    }
    return expression.test(text);
  };
  return { source, matches };
}

/** `aws:PrincipalTag/team`, `aws:PrincipalTag/team, 'default'`, or `*`, `?` and `$` for themselves. */
function variableValue(name: string, context: Context): string | undefined {
  if (name === '*' || name === '?' || name === '$') return literally(name);
  const [key = '', fallback] = name.split(/\s*,\s*/);
  const value = context[key.trim().toLowerCase()];
  if (typeof value === 'string') return literally(value);
  return fallback === undefined ? undefined : literally(fallback.replace(/^'(.*)'$/, '$1'));
}

const literally = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
const wildcards = (text: string) =>
  text
    .replace(/[\\^$.+()[\]{}|]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
