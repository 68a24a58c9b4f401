/** A route of an HTTP API: its key and the function behind it. */
export interface ApiRoute {
  /** `GET /v1/x/{id}`, `ANY /v1/{proxy+}` or `$default`. */
  key: string;
  functionArn: string;
  timeoutMs: number;
}

export interface RouteMatch {
  route: ApiRoute;
  pathParameters: Record<string, string> | undefined;
}

/** Finds the route of a request: a full match before a greedy one before `$default`, literals before variables, a method before `ANY`. */
export function matchRoute(routes: readonly ApiRoute[], method: string, path: string): RouteMatch | undefined {
  let best: (RouteMatch & { rank: string }) | undefined;
  for (const route of routes) {
    const match = route.key === '$default' ? { rank: '', parameters: {} } : matchKey(route.key, method, path);
    if (!match || (best && best.rank >= match.rank)) continue;
    const { rank, parameters } = match;
    best = { rank, route, pathParameters: Object.keys(parameters).length > 0 ? parameters : undefined };
  }
  return best;
}

/** The rank compares as text: one letter a segment, `c` literal, `b` variable, `a` greedy, then the method. */
function matchKey(key: string, method: string, path: string) {
  const [wantedMethod, pattern = ''] = key.split(' ');
  if (wantedMethod !== 'ANY' && wantedMethod !== method) return undefined;
  const wanted = pattern.split('/').slice(1);
  const given = path.split('/').slice(1);
  const parameters: Record<string, string> = {};
  let rank = '';
  for (const [index, segment] of wanted.entries()) {
    const greedy = /^\{(.+)\+\}$/.exec(segment)?.[1];
    if (greedy) {
      const rest = given.slice(index).join('/');
      if (rest === '') return undefined;
      parameters[greedy] = decode(rest);
      return { rank: `a${rank}`, parameters };
    }
    const value = given[index];
    if (value === undefined) return undefined;
    const variable = /^\{(.+)\}$/.exec(segment)?.[1];
    if (variable && value !== '') parameters[variable] = decode(value);
    else if (segment !== value) return undefined;
    rank += variable ? 'b' : 'c';
  }
  if (wanted.length !== given.length) return undefined;
  return { rank: `z${rank}${wantedMethod === 'ANY' ? '' : 'm'}`, parameters };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
