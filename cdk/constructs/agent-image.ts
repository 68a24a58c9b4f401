import { Stack } from 'aws-cdk-lib';
import { DockerImageAsset, Platform } from 'aws-cdk-lib/aws-ecr-assets';
import { Construct } from 'constructs';

export type AgentArchitecture = 'arm64' | 'x86_64';

export interface AgentImageProps {
  /** A folder with `Dockerfile` and `shim.mjs`. Asked for only if the image is built. */
  readonly folder: () => string;
  /** URI of an image to use instead, so that a deploy needs no Docker. */
  readonly uri?: string;
  readonly architectures: readonly AgentArchitecture[];
}

const platforms = { arm64: 'linux/arm64', x86_64: 'linux/amd64' } as const;

/**
 * The built-in image: an asset that `cdk deploy` builds and pushes, or an image that is already somewhere.
 *
 * The tag of an asset is its hash, and `asset.<hash>` in the output of the synthesis is the folder it is built from.
 */
export class AgentImage extends Construct {
  readonly uri: string;
  /** The ECR repository that it is pulled from; undefined where pulling needs no permission. */
  readonly repositoryArn: string | undefined;

  constructor(scope: Construct, id: string, props: AgentImageProps) {
    super(scope, id);
    if (props.uri === undefined) {
      const asset = new DockerImageAsset(this, 'Asset', {
        directory: props.folder(),
        platform: Platform.custom(props.architectures.map((architecture) => platforms[architecture]).join(',')),
      });
      this.uri = asset.imageUri;
      this.repositoryArn = asset.repository.repositoryArn;
    } else {
      this.uri = props.uri;
      this.repositoryArn = this.privateRepository(props.uri);
    }
  }

  /** `<account>.dkr.ecr.<region>.<suffix>/<repository>[:tag][@digest]`; every other registry is public to us. */
  private privateRepository(uri: string): string | undefined {
    const match = /^(\d{12})\.dkr\.ecr\.([\w-]+)\.[\w.]+\/([^:@]+)/.exec(uri);
    const [, account, region, resourceName] = match ?? [];
    if (match === null) return undefined;
    return Stack.of(this).formatArn({ service: 'ecr', resource: 'repository', account, region, resourceName });
  }
}
