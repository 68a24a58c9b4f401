import type { ResourceType } from '../resource.ts';

/** The network has no local counterpart: ids that look like AWS's, so that parameters which carry them can be checked. */
function networkType(prefix: string, idAttribute: string | undefined, properties: readonly string[]): ResourceType {
  return {
    reads: ['CidrBlock', 'AvailabilityZone', 'VpcId'],
    ignores: properties,
    deploy(request) {
      const id = request.generatedId(prefix);
      const attributes: Record<string, string> = { Id: id };
      if (idAttribute) attributes[idAttribute] = id;
      for (const name of ['CidrBlock', 'AvailabilityZone', 'VpcId']) attributes[name] ??= request.text(name) ?? '';
      return { physicalId: id, attributes };
    },
  };
}

export const networkTypes: Record<string, ResourceType> = {
  'AWS::EC2::VPC': networkType('vpc', 'VpcId', ['EnableDnsHostnames', 'EnableDnsSupport', 'InstanceTenancy', 'Tags']),
  'AWS::EC2::Subnet': networkType('subnet', 'SubnetId', ['MapPublicIpOnLaunch', 'Tags', 'Ipv6CidrBlock']),
  'AWS::EC2::InternetGateway': networkType('igw', 'InternetGatewayId', ['Tags']),
  'AWS::EC2::VPCGatewayAttachment': networkType('igw-attach', undefined, ['InternetGatewayId']),
  'AWS::EC2::RouteTable': networkType('rtb', 'RouteTableId', ['Tags']),
  'AWS::EC2::Route': networkType('route', undefined, ['RouteTableId', 'DestinationCidrBlock', 'GatewayId']),
  'AWS::EC2::SubnetRouteTableAssociation': networkType('rtbassoc', undefined, ['RouteTableId', 'SubnetId']),
  'AWS::EC2::VPCEndpoint': networkType('vpce', undefined, [
    'ServiceName',
    'RouteTableIds',
    'VpcEndpointType',
    'PolicyDocument',
    'Tags',
  ]),
  'AWS::EC2::SecurityGroup': networkType('sg', 'GroupId', [
    'GroupDescription',
    'GroupName',
    'SecurityGroupEgress',
    'SecurityGroupIngress',
    'Tags',
  ]),
};
