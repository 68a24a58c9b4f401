import { CfnSecurityGroup, GatewayVpcEndpointAwsService, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';

/** A VPC that is already there. It is taken as given: nothing is looked up, so that synthesis needs no account. */
export interface ExistingNetwork {
  readonly vpcId: string;
  readonly subnetIds: readonly string[];
  /** True in public subnets, false in private ones that reach the internet by a NAT. */
  readonly assignPublicIp: boolean;
}

export interface NetworkProps {
  /** @default a new VPC of two public subnets */
  readonly existing?: ExistingNetwork;
}

/**
 * Where agents run: public subnets, no way in, and gateway endpoints for S3 and DynamoDB. Nothing here is paid by the
 * hour; a NAT gateway or interface endpoints would be $30 to $140 a month. The endpoints keep their open policies,
 * since ECR's layers come through the one for S3 from a bucket of AWS.
 */
export class Network extends Construct {
  readonly subnetIds: readonly string[];
  readonly securityGroupId: string;
  readonly assignPublicIp: boolean;

  constructor(scope: Construct, id: string, props: NetworkProps) {
    super(scope, id);
    const { vpcId, subnetIds, assignPublicIp } = props.existing ?? this.newVpc();
    this.subnetIds = subnetIds;
    this.assignPublicIp = assignPublicIp;
    this.securityGroupId = new CfnSecurityGroup(this, 'AgentSecurityGroup', {
      vpcId,
      groupDescription: 'Agents: nothing in, everything out',
      securityGroupEgress: [{ ipProtocol: '-1', cidrIp: '0.0.0.0/0', description: 'Agents reach what they need' }],
    }).attrGroupId;
  }

  private newVpc(): ExistingNetwork {
    const vpc = new Vpc(this, 'Vpc', {
      maxAzs: 2,
      natGateways: 0,
      // It would need a custom resource; no task of ours is in the default group.
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: 'Public', subnetType: SubnetType.PUBLIC, mapPublicIpOnLaunch: false, cidrMask: 20 },
      ],
      gatewayEndpoints: {
        S3: { service: GatewayVpcEndpointAwsService.S3 },
        DynamoDb: { service: GatewayVpcEndpointAwsService.DYNAMODB },
      },
    });
    return { vpcId: vpc.vpcId, subnetIds: vpc.publicSubnets.map((subnet) => subnet.subnetId), assignPublicIp: true };
  }
}
