import { maxIntegrationTimeoutMs } from '../../services/http-api/service.ts';
import type { ResourceRequest, ResourceType } from '../resource.ts';

const api: ResourceType = {
  reads: ['Name', 'ProtocolType'],
  ignores: ['Description', 'DisableExecuteApiEndpoint', 'Tags'],
  deploy(request) {
    const protocol = request.required('ProtocolType');
    if (protocol !== 'HTTP') throw new Error(`ProtocolType must be HTTP, received ${protocol}.`);
    const id = request.digest('api', 10);
    request.target.httpApi.define(id);
    return { physicalId: id, attributes: { ApiId: id, ApiEndpoint: request.target.apiOrigin() } };
  },
  remove(resource, target) {
    target.httpApi.remove(resource.physicalId);
  },
};

const integration: ResourceType = {
  reads: ['ApiId', 'IntegrationType', 'IntegrationUri', 'PayloadFormatVersion', 'TimeoutInMillis'],
  ignores: ['Description', 'IntegrationMethod'],
  deploy(request) {
    const type = request.required('IntegrationType');
    const version = request.required('PayloadFormatVersion');
    if (type !== 'AWS_PROXY' || version !== '2.0')
      throw new Error(`Only AWS_PROXY with payload format 2.0 runs locally, received ${type} ${version}.`);
    const id = request.digest('integration', 7);
    const timeoutMs = Number(request.text('TimeoutInMillis') ?? maxIntegrationTimeoutMs);
    const functionArn = integrationFunction(request);
    request.target.httpApi.defineIntegration(request.required('ApiId'), id, { functionArn, timeoutMs });
    return { physicalId: id, attributes: {} };
  },
};

/** The URI is a function's ARN, or the path form `arn:aws:apigateway:…/functions/<ARN>/invocations`. */
function integrationFunction(request: ResourceRequest): string {
  const uri = request.required('IntegrationUri');
  return /\/functions\/(arn:.+)\/invocations$/.exec(uri)?.[1] ?? uri;
}

const route: ResourceType = {
  reads: ['ApiId', 'RouteKey', 'Target', 'AuthorizationType'],
  ignores: ['OperationName', 'ApiKeyRequired'],
  deploy(request) {
    const authorization = request.text('AuthorizationType') ?? 'NONE';
    if (authorization !== 'NONE') throw new Error(`AuthorizationType must be NONE, received ${authorization}.`);
    const integrationId = request.required('Target').replace(/^integrations\//, '');
    const id = request.digest('route', 7);
    request.target.httpApi.defineRoute(request.required('ApiId'), id, request.required('RouteKey'), integrationId);
    return { physicalId: id, attributes: { RouteId: id } };
  },
  remove(resource, target) {
    target.httpApi.removeRoute(String(resource.properties.ApiId), resource.physicalId);
  },
};

const stage: ResourceType = {
  reads: ['ApiId', 'StageName', 'AutoDeploy'],
  ignores: ['AccessLogSettings', 'DefaultRouteSettings', 'RouteSettings', 'Description', 'Tags'],
  deploy(request) {
    const name = request.required('StageName');
    if (name !== '$default') throw new Error(`Only the $default stage is served locally, received ${name}.`);
    return { physicalId: name, attributes: {} };
  },
};

export const httpApiTypes: Record<string, ResourceType> = {
  'AWS::ApiGatewayV2::Api': api,
  'AWS::ApiGatewayV2::Integration': integration,
  'AWS::ApiGatewayV2::Route': route,
  'AWS::ApiGatewayV2::Stage': stage,
};
