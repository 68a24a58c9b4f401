import type { StoredMap } from '../store.ts';
import type { CloudAssembly, TemplateResource } from './assembly.ts';
import { evaluate, inDependencyOrder, type Scope } from './intrinsics.ts';
import { ResourceRequest, type StoredResource } from './resource.ts';
import { resourceTypes } from './resources/index.ts';
import type { DeployTarget } from './target.ts';

/** A deployed stack. */
export interface Deployment {
  stackName: string;
  outputs: Record<string, string>;
  /** By logical id. */
  resources: Map<string, StoredResource>;
}

const knownSections = new Set([
  'Resources',
  'Outputs',
  'Parameters',
  'Rules',
  'Metadata',
  'Description',
  'AWSTemplateFormatVersion',
]);

/**
 * Creates what a template describes, or brings what an earlier deploy created up to date.
 * @throws Error that names the resource, for a type, property or function that is not known locally.
 */
export async function deployAssembly(assembly: CloudAssembly, target: DeployTarget): Promise<Deployment> {
  for (const section of Object.keys(assembly.template)) {
    if (!knownSections.has(section)) throw new Error(`The local deploy does not know the template section ${section}.`);
  }
  const stored = target.stored(assembly.stackName);
  const deployed: Deployment['resources'] = new Map();
  const scope = new TemplateScope(assembly, target, deployed);
  for (const logicalId of inDependencyOrder(assembly.template)) {
    const resource = assembly.template.Resources[logicalId]!;
    try {
      const made = await deployResource(logicalId, resource, scope, stored, assembly, target);
      deployed.set(logicalId, made);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`Deploying ${logicalId} (${resource.Type}) failed: ${reason}`, { cause: error });
    }
  }
  await removeLeftovers(stored, deployed, target);
  const outputs: Record<string, string> = {};
  for (const [name, { Value }] of Object.entries(assembly.template.Outputs ?? {}))
    outputs[name] = String(evaluate(Value, scope));
  return { stackName: assembly.stackName, outputs, resources: deployed };
}

async function deployResource(
  logicalId: string,
  resource: TemplateResource,
  scope: Scope,
  stored: StoredMap<StoredResource>,
  assembly: CloudAssembly,
  target: DeployTarget,
): Promise<StoredResource> {
  const type = resourceTypes[resource.Type];
  if (!type) throw new Error(`the embedded AWS does not know this resource type.`);
  const properties = evaluate(resource.Properties ?? {}, scope) as Record<string, unknown>;
  for (const name of Object.keys(properties)) {
    if (!type.reads.includes(name) && !type.ignores?.includes(name))
      throw new Error(`the embedded AWS does not know its property ${name}.`);
  }
  const before = stored.get(logicalId);
  const previous = before?.type === resource.Type ? before : undefined;
  const made = await type.deploy(new ResourceRequest(logicalId, properties, previous, assembly, target));
  const remembered = { type: resource.Type, properties, ...made };
  stored.set(logicalId, remembered);
  return remembered;
}

async function removeLeftovers(
  stored: StoredMap<StoredResource>,
  deployed: Deployment['resources'],
  target: DeployTarget,
): Promise<void> {
  for (const [logicalId, resource] of [...stored.entries()]) {
    if (deployed.has(logicalId)) continue;
    await resourceTypes[resource.type]?.remove?.(resource, target);
    stored.delete(logicalId);
  }
}

class TemplateScope implements Scope {
  readonly availabilityZones: string[];
  private readonly assembly: CloudAssembly;
  private readonly target: DeployTarget;
  private readonly deployed: Deployment['resources'];

  constructor(assembly: CloudAssembly, target: DeployTarget, deployed: Deployment['resources']) {
    this.assembly = assembly;
    this.target = target;
    this.deployed = deployed;
    this.availabilityZones = ['a', 'b', 'c'].map((zone) => target.environment.region + zone);
  }

  ref(name: string): unknown {
    const { accountId, region } = this.target.environment;
    const { stackName, template } = this.assembly;
    switch (name) {
      case 'AWS::AccountId':
        return accountId;
      case 'AWS::Region':
        return region;
      case 'AWS::Partition':
        return 'aws';
      case 'AWS::URLSuffix':
        return 'amazonaws.com';
      case 'AWS::StackName':
        return stackName;
      case 'AWS::StackId':
        return `arn:aws:cloudformation:${region}:${accountId}:stack/${stackName}/local`;
      case 'AWS::NoValue':
        return undefined;
    }
    const resource = this.deployed.get(name);
    if (resource) return resource.physicalId;
    const parameter = template.Parameters?.[name];
    if (parameter?.Default !== undefined) return parameter.Default;
    throw new Error(`Ref: there is no resource ${name} (and no parameter with a default).`);
  }

  attribute(logicalId: string, name: string): unknown {
    const resource = this.deployed.get(logicalId);
    if (!resource) throw new Error(`Fn::GetAtt: there is no resource ${logicalId}.`);
    const value = resource.attributes[name];
    if (value === undefined)
      throw new Error(`Fn::GetAtt: the embedded AWS does not know attribute ${name} of ${resource.type}.`);
    return value;
  }
}
