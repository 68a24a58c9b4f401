import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Code } from 'aws-cdk-lib/aws-lambda';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { Environment } from '../../lib/config.ts';
import { RouseFunction } from './function.ts';

interface Size {
  readonly timeoutSeconds: number;
  readonly memoryMiB: number;
  readonly allowLoop?: boolean;
}

/**
 * Dispatch, launch and timers form a loop on purpose: what is not yet due goes back through the timers queue. It can't
 * spin, because every hop waits for a due time.
 */
const sizes = {
  api: { timeoutSeconds: 29, memoryMiB: 512 },
  wait: { timeoutSeconds: 29, memoryMiB: 256 },
  runtime: { timeoutSeconds: 29, memoryMiB: 512 },
  dispatch: { timeoutSeconds: 10, memoryMiB: 512, allowLoop: true },
  launch: { timeoutSeconds: 15, memoryMiB: 256, allowLoop: true },
  record: { timeoutSeconds: 30, memoryMiB: 256 },
  sweep: { timeoutSeconds: 30, memoryMiB: 256 },
  timers: { timeoutSeconds: 10, memoryMiB: 256, allowLoop: true },
  trigger: { timeoutSeconds: 10, memoryMiB: 256 },
  'task-events': { timeoutSeconds: 10, memoryMiB: 256 },
} satisfies Record<string, Size>;

export type FunctionName = keyof typeof sizes;

export const functionNames = Object.keys(sizes) as FunctionName[];

/** How long one call of a function may take, in seconds. */
export const timeoutSecondsOf = (name: FunctionName): number => sizes[name].timeoutSeconds;

export interface FunctionsProps {
  readonly code: (name: FunctionName) => Code;
  readonly logRetention: RetentionDays;
  /** Of the log groups. @default CloudWatch's own */
  readonly key?: IKey;
  /** @default none */
  readonly reservedConcurrency?: Partial<Record<FunctionName, number>>;
}

/** The ten functions. They get their environment and grants when all that those name exists. */
export class Functions extends Construct {
  private readonly byName: Readonly<Record<FunctionName, RouseFunction>>;

  constructor(scope: Construct, id: string, props: FunctionsProps) {
    super(scope, id);
    const make = (name: FunctionName) =>
      new RouseFunction(this, pascalCase(name), {
        ...sizes[name],
        code: props.code(name),
        logRetention: props.logRetention,
        key: props.key,
        reservedConcurrency: props.reservedConcurrency?.[name],
      });
    this.byName = Object.fromEntries(functionNames.map((name) => [name, make(name)])) as Record<
      FunctionName,
      RouseFunction
    >;
  }

  get(name: FunctionName): RouseFunction {
    return this.byName[name];
  }

  /** Gives every function the same environment: grants, not variables, say who may do what. */
  configure(environment: Environment): void {
    for (const name of functionNames) {
      for (const [variable, value] of Object.entries(environment)) {
        this.get(name).lambda.addEnvironment(variable, value);
      }
    }
  }
}

const pascalCase = (name: string): string =>
  name.replace(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase());
