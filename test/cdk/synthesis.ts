import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Code } from 'aws-cdk-lib/aws-lambda';
import type { Bundles } from '../../cdk/bundles.ts';
import type { FunctionName } from '../../cdk/constructs/functions.ts';
import { RouseStack } from '../../cdk/rouse-stack.ts';
import { readSettings } from '../../cdk/settings.ts';

/** Code that is there at once: what is in the bundles is not what these tests are about. */
const placeholders: Bundles = {
  functionCode: () => Code.fromInline('exports.handler = async () => {};'),
  agentFolder: () => join(import.meta.dirname, 'placeholder-agent'),
};

export interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: Record<string, Record<string, unknown>>;
  readonly Principal?: unknown;
}

export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly DependsOn?: string[];
  readonly DeletionPolicy?: string;
}

/** The template that the context makes, as a tree with `Ref`, `Fn::GetAtt` and `Fn::Join` flattened by `text`. */
export class Synthesis {
  readonly stack: RouseStack;
  readonly template: Template;
  readonly resources: Readonly<Record<string, Resource>>;
  /** Platforms of the Docker images that a deploy would build. */
  readonly platforms: readonly string[];

  constructor(context: Record<string, string> = {}) {
    const outdir = mkdtempSync(join(tmpdir(), 'rouse-assembly-'));
    const app = new App({
      outdir,
      analyticsReporting: false,
      treeMetadata: false,
      builtinCloudFormationValidation: false,
    });
    const { stackName, ...props } = readSettings((key) => context[key]);
    this.stack = new RouseStack(app, stackName, { ...props, bundles: placeholders });
    this.template = Template.fromStack(this.stack);
    this.resources = this.template.toJSON().Resources;
    const { dockerImages = {} } = JSON.parse(readFileSync(join(outdir, `${stackName}.assets.json`), 'utf8')) as {
      dockerImages?: Record<string, { source: { platform: string } }>;
    };
    this.platforms = Object.values(dockerImages).map(({ source }) => source.platform);
    rmSync(outdir, { recursive: true });
  }

  /** The only resource whose logical id starts so and ends in the CDK's hash, or in nothing. */
  byId(id: string): Resource {
    const found = Object.entries(this.resources).filter(([key]) => new RegExp(`^${id}([0-9A-F]{8})?$`).test(key));
    if (found.length !== 1) throw new Error(`${found.length} resources have the id ${id}, wanted one`);
    return found[0]![1];
  }

  lambda(name: FunctionName): Readonly<Record<string, unknown>> {
    return this.byId(`Functions${pascal(name)}Function`).Properties;
  }

  /** Statements of the policies of the role whose logical id starts so. */
  statementsOf(roleId: string): Statement[] {
    return Object.entries(this.resources)
      .filter(([key, { Type }]) => Type === 'AWS::IAM::Policy' && key.startsWith(`${roleId}DefaultPolicy`))
      .flatMap(([, { Properties }]) => (Properties.PolicyDocument as { Statement: Statement[] }).Statement);
  }

  functionStatements(name: FunctionName): Statement[] {
    return this.statementsOf(`Functions${pascal(name)}Role`);
  }

  /** A value as one line: `StateTable.Arn` for an attribute, `StateTable` for a reference, hashes left out. */
  text(value: unknown): string {
    if (typeof value === 'string') return value;
    const [[intrinsic, argument] = []] = Object.entries(value as Record<string, unknown>);
    if (intrinsic === 'Ref') return `{${unhashed(String(argument))}}`;
    if (intrinsic === 'Fn::GetAtt') {
      const [id, attribute] = argument as [string, string];
      return `{${unhashed(id)}.${attribute}}`;
    }
    if (intrinsic === 'Fn::Join') {
      const [separator, parts] = argument as [string, unknown[]];
      return parts.map((part) => this.text(part)).join(separator);
    }
    if (intrinsic === 'Fn::Sub') return String(argument);
    throw new Error(`${JSON.stringify(value)} is not text`);
  }

  texts(value: unknown): string[] {
    return (Array.isArray(value) ? value : [value]).map((item) => this.text(item));
  }
}

export const actionsOf = ({ Action }: Statement): string[] => (Array.isArray(Action) ? Action : [Action]);

const unhashed = (id: string): string => id.replace(/[0-9A-F]{8}$/, '');

const pascal = (name: string): string => name.replace(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase());
