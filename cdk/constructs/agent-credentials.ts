import { ArnPrincipal, PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

export interface AgentCredentialsProps {
  /** The runtime function's role, the only one that may assume this one. */
  readonly trusted: Role;
  readonly bucket: Bucket;
  /** ARN of the bell of a runtime. */
  readonly bellArn: (runtimeId: string) => string;
}

/**
 * The credentials of a shim: one static role, narrowed by the session's tags to one agent's files, one runtime's
 * writes and its bell. A session without all three tags, or with another, is refused. Its trust policy names the one
 * role that may assume it, which in the same account needs no permission of its own (API Reference, AssumeRole).
 */
export class AgentCredentials extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string, props: AgentCredentialsProps) {
    super(scope, id);
    const tags = ['tenant', 'agent', 'runtime'];
    this.role = new Role(this, 'Role', {
      assumedBy: new ArnPrincipal(props.trusted.roleArn)
        .withConditions({
          Null: Object.fromEntries(tags.map((tag) => [`aws:RequestTag/${tag}`, 'false'])),
          'ForAllValues:StringEquals': { 'aws:TagKeys': tags },
        })
        .withSessionTags(),
    });

    const agentFiles = `agents/\${aws:PrincipalTag/tenant}/\${aws:PrincipalTag/agent}`;
    this.role.addToPolicy(
      new PolicyStatement({
        actions: ['s3:GetObject'],
        resources: [props.bucket.arnForObjects(`${agentFiles}/*`)],
      }),
    );
    this.role.addToPolicy(
      new PolicyStatement({
        actions: ['s3:PutObject'],
        resources: [props.bucket.arnForObjects(`${agentFiles}/runtimes/\${aws:PrincipalTag/runtime}/*`)],
      }),
    );
    this.role.addToPolicy(
      new PolicyStatement({
        actions: ['sqs:ReceiveMessage'],
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of IAM, filled in at each request
        resources: [props.bellArn('${aws:PrincipalTag/runtime}')],
      }),
    );
  }
}
