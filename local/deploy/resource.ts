import { createHash } from 'node:crypto';
import type { CloudAssembly } from './assembly.ts';
import type { DeployTarget } from './target.ts';

/** What a deployed resource is to the rest of the template. */
export interface DeployedResource {
  /** What `Ref` gives. */
  physicalId: string;
  /** What `Fn::GetAtt` gives. */
  attributes: Record<string, string>;
}

/** A deployed resource as it is remembered between deploys. */
export interface StoredResource extends DeployedResource {
  type: string;
  properties: Record<string, unknown>;
}

/** One resource about to be deployed. */
export class ResourceRequest {
  readonly logicalId: string;
  /** Without intrinsic functions. */
  readonly properties: Record<string, unknown>;
  /** What an earlier deploy made of it, if it did. */
  readonly previous: StoredResource | undefined;
  readonly assembly: CloudAssembly;
  readonly target: DeployTarget;

  constructor(
    logicalId: string,
    properties: Record<string, unknown>,
    previous: StoredResource | undefined,
    assembly: CloudAssembly,
    target: DeployTarget,
  ) {
    this.logicalId = logicalId;
    this.properties = properties;
    this.previous = previous;
    this.assembly = assembly;
    this.target = target;
  }

  text(property: string): string | undefined {
    const value = this.properties[property];
    return value === undefined ? undefined : String(value);
  }

  required(property: string): string {
    const value = this.text(property);
    if (value === undefined) throw new Error(`${this.logicalId} needs the property ${property}.`);
    return value;
  }

  /** A name as CloudFormation makes them, but the same for each deploy: `<stack>-<logicalId>-<12 characters>`. */
  generatedName(maxLength: number): string {
    const { stackName } = this.assembly;
    const suffix = this.digest('name', 12).toUpperCase();
    const room = maxLength - suffix.length - 2;
    const stack = stackName.slice(0, Math.max(Math.floor(room / 2), room - this.logicalId.length));
    return `${stack}-${this.logicalId.slice(0, room - stack.length)}-${suffix}`;
  }

  /** An id as EC2 makes them, but the same for each deploy. */
  generatedId(prefix: string): string {
    return `${prefix}-${this.digest(prefix, 17)}`;
  }

  digest(purpose: string, length: number): string {
    const { environment } = this.target;
    const text = [environment.accountId, environment.region, this.assembly.stackName, this.logicalId, purpose].join(
      '/',
    );
    return createHash('sha256').update(text).digest('hex').slice(0, length);
  }

  /** `arn:aws:<service>:<region>:<account>:<rest>` */
  arn(service: string, rest: string): string {
    const { region, accountId } = this.target.environment;
    return `arn:aws:${service}:${region}:${accountId}:${rest}`;
  }
}

/** How the local deploy makes the resources of one type. */
export interface ResourceType {
  /** Properties that are read. */
  reads: readonly string[];
  /** Properties that mean nothing locally. Any other is an error. */
  ignores?: readonly string[];
  deploy(request: ResourceRequest): DeployedResource | Promise<DeployedResource>;
  /** For a resource that the template no longer has. */
  remove?(resource: StoredResource, target: DeployTarget): void | Promise<void>;
}
