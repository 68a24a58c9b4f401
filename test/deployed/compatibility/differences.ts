import type { BackendName } from '../target.ts';

/** What a backend does otherwise than AWS. A run fails when it finds another one, or misses one of these. */
export interface Difference {
  /** Of `facts.ts`. */
  fact: string;
  /** What the server does instead. */
  instead: string;
  /** Why the suite holds all the same. */
  handledBy: string;
}

/** A test that a backend can't pass: the only way to leave one out. */
export interface LeftOut {
  /** Its full name, describes included. */
  test: string;
  reason: string;
}

interface Entries {
  differences: readonly Difference[];
  leftOut: readonly LeftOut[];
}

const anotherUser: LeftOut = {
  test: 'a container that ends in the middle of a task > because its shim was killed: the task runs again elsewhere, without blame',
  reason: 'In a container the shim is root and the program another user, which can not kill it.',
};

const noStackTags = 'The local deploy gives the tags of a stack to nothing: there is no bill to divide.';

const entries: Partial<Record<BackendName, Entries>> = {
  'embedded AWS': {
    differences: [
      {
        fact: 'trust-policies',
        instead: 'The local administrator may assume every role',
        handledBy: 'For everybody else the trust policy decides.',
      },
    ],
    leftOut: [
      { test: 'the tables and the cluster say which deployment they are of', reason: noStackTags },
      { test: 'the bucket says which deployment it is of', reason: noStackTags },
    ],
  },
  MiniStack: {
    differences: [
      {
        fact: 'run-task-starts',
        instead: 'It is RUNNING at once, and without a Docker engine there is no container',
        handledBy: 'The harness watches the cluster and runs the shim as a process (`fargate/stand-in.ts`).',
      },
      {
        fact: 'run-task-token',
        instead: 'The token is ignored: a second task is launched',
        handledBy: 'Only one of two containers of a runtime is taken in, by its enrolment.',
      },
      {
        fact: 'run-task-token-conflict',
        instead: 'The token is ignored: a second task is launched',
        handledBy: 'Only one of two containers of a runtime is taken in, by its enrolment.',
      },
      {
        fact: 'stop-task-gradual',
        instead: 'The task is STOPPED at once, with exit code 0',
        handledBy: 'The stand-in kills the process as soon as it sees that.',
      },
      {
        fact: 'task-state-change-events',
        instead: 'ECS sends no events',
        handledBy: 'None is needed: leases end, and the sweep looks at what is overdue.',
      },
      {
        fact: 'signatures',
        instead: 'Any secret is taken',
        handledBy: 'The embedded AWS verifies every signature.',
      },
      {
        fact: 'permissions',
        instead:
          'Every call is allowed. Its `AUTH=true` decides by the policies, and behind TLS the stack deploys and sweeps ' +
          "so, but it asks for the wrong resources of ECS (`*` for RegisterTaskDefinition, the cluster for RunTask; AWS's " +
          'Service Authorization Reference says the task definition), and right grants are refused',
        handledBy: "The embedded AWS enforces the template's policies.",
      },
      {
        fact: 'trust-policies',
        instead: 'Every role can be assumed',
        handledBy: 'By this the stand-in gets credentials of the task role, with the name of the task for the session.',
      },
      {
        fact: 'api-host-name',
        instead: 'It is a name under `localhost`, which most resolvers do not know',
        handledBy: 'The processes of the harness look it up as the loopback (`fargate/loopback-names.mjs`).',
      },
    ],
    leftOut: [
      {
        test: 'what is made for an agent says whose it is > its container',
        reason: 'It does not know `propagateTags`: a task has only the tags of its own, here that of its agent.',
      },
      {
        test: 'the bucket says which deployment it is of',
        reason: 'Its CloudFormation gives the tags of a stack to tables and clusters, not to buckets.',
      },
    ],
  },
  LocalStack: { differences: [], leftOut: [anotherUser] },
  'AWS Emulator': { differences: [], leftOut: [anotherUser] },
  AWS: { differences: [], leftOut: [anotherUser] },
};

export function entriesOf(backend: BackendName): Entries {
  return entries[backend] ?? { differences: [], leftOut: [] };
}

/** Servers that were tried and did not get as far as the suite. */
export const tried: readonly { server: string; when: string; result: string }[] = [
  {
    server: 'LocalStack 4.14.0, its last open release, from PyPI without Docker',
    when: '2026-11-22',
    result:
      '`localstack-core[runtime]==4.14.0` starts on Python 3.13 when `cbor2<5.8`, `pyopenssl<26`, `cryptography<46` and ' +
      '`service_identity` are installed with it (newer ones break its start; on Python 3.11 its Moto has a syntax error). ' +
      '`cdk bootstrap` works. `cdk deploy` can not: `AWS::ApiGatewayV2::Api` "is not supported but was deployed as a ' +
      'fallback", ECS answers "either not included in your current license plan or has not yet been emulated", and its ' +
      'only Lambda executor is Docker.',
  },
];
