import { HttpApi, HttpMethod, PayloadFormatVersion } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Construct } from 'constructs';
import type { FunctionName, Functions } from './functions.ts';

export interface ApiProps {
  readonly functions: Functions;
}

/**
 * The HTTP API. Reads that can wait and the shims' calls have functions of their own, so that waiting readers never
 * starve running agents. Keys are checked in the functions: an authorizer's refusals could not be problem+json.
 */
export class Api extends Construct {
  /** Origin without a slash at the end. */
  readonly url: string;

  constructor(scope: Construct, id: string, props: ApiProps) {
    super(scope, id);
    const to = (name: FunctionName) =>
      new HttpLambdaIntegration(name, props.functions.get(name).lambda, {
        payloadFormatVersion: PayloadFormatVersion.VERSION_2_0,
      });
    const api = new HttpApi(this, 'HttpApi', { defaultIntegration: to('api') });
    const wait = to('wait');
    for (const path of ['/v1/tasks/{id}', '/v1/events', '/v1/agents/{id}/logs', '/v1/runs/{id}']) {
      api.addRoutes({ path, methods: [HttpMethod.GET], integration: wait });
    }
    api.addRoutes({ path: '/v1/runtime/{proxy+}', methods: [HttpMethod.ANY], integration: to('runtime') });
    this.url = api.apiEndpoint;
  }
}
