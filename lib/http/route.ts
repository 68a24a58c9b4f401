import * as z from 'zod';
import type { ErrorCode } from '../domain/errors.ts';
import type { Auth, PrincipalOf, Role } from './principal.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

const nothing = z.strictObject({});
type Nothing = typeof nothing;

interface ContractSpec<
  A extends Auth,
  Params extends z.ZodType,
  Query extends z.ZodType,
  Body extends z.ZodType,
  Answer extends z.ZodType,
> {
  /** Name of the operation in OpenAPI, camelCase. */
  id: string;
  method: Method;
  /** Like `/v1/agents/{id}`. */
  path: string;
  tag: string;
  summary: string;
  description?: string;
  auth: A;
  /** The least role of a key; `viewer` unless given. */
  role?: Role;
  /** Of the path. What does not fit is a 404 (but of a PUT a 422), so its messages are sentences for that. */
  params?: Params;
  query?: Query;
  /** Without it a body may only be empty or `{}`. An empty body counts as `{}`. */
  body?: Body;
  answer: Answer;
  status: number;
  /** Another status with the same answer, e.g. 200 of a PUT that changed nothing. */
  otherStatus?: number;
  /** The read may be asked to wait (`waitSeconds`), so the `wait` function serves it. */
  waits?: boolean;
  /** Whether `Idempotency-Key` counts; true for a POST by an API key unless given. */
  idempotent?: boolean;
  /** What can go wrong besides the errors that any route has. */
  errors?: readonly ErrorCode[];
}

/** What one route accepts and answers, without the code that does it. */
export interface Contract<
  A extends Auth = Auth,
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
  Answer extends z.ZodType = z.ZodType,
> extends Omit<Required<ContractSpec<A, Params, Query, Body, Answer>>, 'otherStatus'> {
  otherStatus: number | undefined;
}

/**
 * Makes a contract, with what is left out filled in.
 *
 * @throws Error if the parameters in the path and those described are not the same
 */
export function contract<
  A extends Auth,
  Answer extends z.ZodType,
  Params extends z.ZodType = Nothing,
  Query extends z.ZodType = Nothing,
  Body extends z.ZodType = Nothing,
>(spec: ContractSpec<A, Params, Query, Body, Answer>): Contract<A, Params, Query, Body, Answer> {
  checkParams(spec);
  return {
    description: '',
    role: 'viewer',
    waits: false,
    idempotent: spec.method === 'POST' && spec.auth === 'key',
    errors: [],
    otherStatus: undefined,
    ...spec,
    // where a schema is left out its type parameter is Nothing
    params: spec.params ?? (nothing as unknown as Params),
    query: spec.query ?? (nothing as unknown as Query),
    body: spec.body ?? (nothing as unknown as Body),
  };
}

function checkParams(spec: { id: string; path: string; params?: z.ZodType }): void {
  const inPath = [...spec.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).join(', ') || 'none';
  const described = (spec.params instanceof z.ZodObject && Object.keys(spec.params.shape).join(', ')) || 'none';
  if (inPath === described) return;
  throw new Error(`${spec.id}: the path ${spec.path} has the parameters ${inPath}, described are ${described}.`);
}

export interface Context<A extends Auth = Auth> {
  principal: PrincipalOf<A>;
  requestId: string;
  /** Milliseconds since 1970, read once per request. */
  nowMs: number;
  /**
   * A ULID for this request. It is the same again when the request is repeated with its Idempotency-Key, so ids that
   * are made from it name the same things: a repetition goes on with what a crash cut off.
   */
  seed: string;
  /** Header of the request by its lower-case name. */
  header(name: string): string | undefined;
}

export interface Call<A extends Auth, Params, Query, Body> {
  params: Params;
  query: Query;
  body: Body;
  context: Context<A>;
}

/** An answer with its own status or headers; handlers may return the plain body instead. */
export class Reply<Body> {
  readonly status: number;
  readonly body: Body;
  readonly headers: Record<string, string>;

  constructor(status: number, body: Body, headers: Record<string, string> = {}) {
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** A file as it is, instead of JSON. */
export class FileReply {
  readonly bytes: Uint8Array;
  readonly name: string;

  constructor(bytes: Uint8Array, name: string) {
    this.bytes = bytes;
    this.name = name;
  }
}

export function reply<Body>(status: number, body: Body, headers?: Record<string, string>): Reply<Body> {
  return new Reply(status, body, headers);
}

export type Handler<C extends Contract> =
  C extends Contract<infer A, infer Params, infer Query, infer Body, infer Answer>
    ? (
        call: Call<A, z.output<Params>, z.output<Query>, z.output<Body>>,
      ) => Promise<z.input<Answer> | Reply<z.input<Answer>> | FileReply>
    : never;

type AnyHandler = (call: Call<Auth, unknown, unknown, unknown>) => Promise<unknown>;

/** A contract and the code that keeps it. */
export interface Route {
  contract: Contract;
  handler: AnyHandler;
}

/** Binds a handler to a contract, whose types it gets. */
export function bind<C extends Contract>(contract: C, handler: Handler<C>): Route {
  // the router calls it only with what the contract's own schemas and authentication let through
  return { contract, handler: handler as unknown as AnyHandler };
}

/** A contract and its handler in one, for a route that stands alone. */
export function defineRoute<
  A extends Auth,
  Answer extends z.ZodType,
  Params extends z.ZodType = Nothing,
  Query extends z.ZodType = Nothing,
  Body extends z.ZodType = Nothing,
>(
  spec: ContractSpec<A, Params, Query, Body, Answer> & {
    handler: Handler<Contract<A, Params, Query, Body, Answer>>;
  },
): Route {
  const { handler, ...rest } = spec;
  return bind(contract(rest), handler);
}
