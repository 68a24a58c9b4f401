import middy from '@middy/core';
import type { Context } from 'aws-lambda';
import type { Logger } from '../lib/app/ports.ts';
import { type FunctionDeps, makeDeps } from './deps.ts';

export type Handler<Event, Result> = (event: Event, context: Context) => Promise<Result>;

/**
 * Wraps a function's handler. Its dependencies are made at the first event, so that a wrong environment fails every
 * event with a sentence that says what is wrong, and importing a module costs nothing.
 */
export function wrapped<Event, Result>(
  functionName: string,
  makeHandler: (deps: FunctionDeps) => Handler<Event, Result>,
): (event: Event, context: Context) => Promise<Result> {
  let made: { deps: FunctionDeps; handler: Handler<Event, Result> } | undefined;
  const start = () => {
    const deps = makeDeps(functionName);
    made = { deps, handler: makeHandler(deps) };
    return made;
  };
  const wrapped = middy<Event, Result>()
    .use(failureLog(() => made?.deps.log))
    .handler((event: Event, context: Context) => (made ?? start()).handler(event, context));
  // Node 24 refuses handlers that could take a callback, so exactly two parameters are passed on.
  return (event, context) => wrapped(event, context) as Promise<Result>;
}

/** What a function throws is logged once, as one line, and thrown on: AWS does the rest. */
function failureLog(log: () => Logger | undefined): middy.MiddlewareObj {
  return {
    onError: ({ error, context }) => {
      const line = { requestId: context.awsRequestId, error };
      const logger = log();
      if (logger) logger.error('function failed', line);
      else console.error(error);
    },
  };
}
