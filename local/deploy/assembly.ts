import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export interface TemplateResource {
  Type: string;
  Properties?: Record<string, unknown>;
  DependsOn?: string | string[];
  DeletionPolicy?: string;
}

export interface Template {
  Resources: Record<string, TemplateResource>;
  Outputs?: Record<string, { Value: unknown }>;
  Parameters?: Record<string, { Type: string; Default?: unknown }>;
  [section: string]: unknown;
}

/** What `cdk synth` writes, as far as a deploy needs it. */
export interface CloudAssembly {
  stackName: string;
  template: Template;
  /** Absolute folder of a file asset, by the object key that the template names. */
  fileAssets: Map<string, string>;
  /** Absolute folder of a Docker image asset, by the tag that the template names. */
  imageAssets: Map<string, string>;
}

interface Manifest {
  artifacts?: Record<
    string,
    { type: string; displayName?: string; properties?: { templateFile?: string; file?: string; stackName?: string } }
  >;
}

interface AssetManifest {
  files?: Record<string, { source: { path?: string }; destinations: Record<string, { objectKey: string }> }>;
  dockerImages?: Record<string, { source: { directory?: string }; destinations: Record<string, { imageTag: string }> }>;
}

/** Reads the cloud assembly in `folder` (cdk.out). @throws Error unless it has exactly one stack. */
export function readAssembly(folder: string): CloudAssembly {
  const manifest = readJson<Manifest>(join(folder, 'manifest.json'));
  const artifacts = Object.entries(manifest.artifacts ?? {});
  const stacks = artifacts.filter(([, artifact]) => artifact.type === 'aws:cloudformation:stack');
  const [stack] = stacks;
  if (!stack || stacks.length > 1)
    throw new Error(`The cloud assembly ${folder} has ${stacks.length} stacks; the local deploy takes exactly one.`);
  const [id, { properties }] = stack;
  const assembly: CloudAssembly = {
    stackName: properties?.stackName ?? id,
    template: readJson<Template>(join(folder, properties?.templateFile ?? `${id}.template.json`)),
    fileAssets: new Map(),
    imageAssets: new Map(),
  };
  for (const [, artifact] of artifacts) {
    if (artifact.type === 'cdk:asset-manifest' && artifact.properties?.file)
      addAssets(assembly, folder, readJson<AssetManifest>(join(folder, artifact.properties.file)));
  }
  return assembly;
}

function addAssets(assembly: CloudAssembly, folder: string, assets: AssetManifest): void {
  for (const { source, destinations } of Object.values(assets.files ?? {})) {
    if (!source.path) continue;
    for (const { objectKey } of Object.values(destinations))
      assembly.fileAssets.set(objectKey, resolve(folder, source.path));
  }
  for (const { source, destinations } of Object.values(assets.dockerImages ?? {})) {
    if (!source.directory) continue;
    for (const { imageTag } of Object.values(destinations))
      assembly.imageAssets.set(imageTag, resolve(folder, source.directory));
  }
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}
