import { AwsError, notEmulated } from '../errors.ts';
import type { CallContext, Environment, Principal, WireRequest, WireResponse, WireService } from '../service.ts';
import { parseSignature, verifySignature } from '../sigv4.ts';
import { toXml, type XmlValue } from '../xml.ts';

/** Which roles there are. The deployer sets it; without it every role exists. */
export interface Roles {
  roleExists(roleArn: string): boolean;
}

type Parameters = Record<string, string>;

const namespace = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"';
const known = /^(Action|Version|RoleArn|RoleSessionName|DurationSeconds|Policy|Tags\.member\.\d+\.(Key|Value))$/;

/** AWS STS: who am I (with the signature verified), and sessions of roles. */
export class StsService implements WireService {
  readonly protocol = 'wire';
  readonly name = 'sts';
  roles: Roles = { roleExists: () => true };
  private readonly environment: Environment;

  constructor(environment: Environment) {
    this.environment = environment;
  }

  operation(request: WireRequest): string {
    return parameters(request).Action ?? '';
  }

  async handle(request: WireRequest, context: CallContext): Promise<WireResponse> {
    const input = parameters(request);
    const operation = input.Action ?? '';
    const result = this.perform(operation, input, context);
    const metadata = { ResponseMetadata: { RequestId: context.requestId } };
    const answer = { [`${operation}Result`]: result, ...metadata };
    if (wantsJson(request)) return json(200, { [`${operation}Response`]: answer });
    return xml(200, toXml(`${operation}Response`, answer, namespace));
  }

  renderError(error: AwsError, context: CallContext): WireResponse {
    const details = { Type: error.status < 500 ? 'Sender' : 'Receiver', Code: error.code, Message: error.message };
    const answer = { Error: details, RequestId: context.requestId };
    if (wantsJson(context.request)) return json(error.status, answer);
    return xml(error.status, toXml('ErrorResponse', answer, namespace));
  }

  private perform(operation: string, input: Parameters, context: CallContext): XmlValue {
    for (const name of Object.keys(input))
      if (!known.test(name)) throw notEmulated('sts', `parameter ${name} of ${operation}`);
    if (operation === 'GetCallerIdentity') return this.callerIdentity(context);
    if (operation === 'AssumeRole') return this.assumeRole(input, context);
    throw notEmulated('sts', `operation ${operation || '(none)'}`);
  }

  private callerIdentity(context: CallContext): XmlValue {
    const { credentials, clock, accountId } = this.environment;
    const signature = parseSignature(context.request);
    const found = signature && credentials.find(signature.accessKeyId);
    if (!found) throw missingToken();
    if ((signature.sessionToken ?? '') !== found.sessionToken)
      throw new AwsError('InvalidClientTokenId', 'The security token included in the request is invalid.', 403);
    if (signature.service !== 'sts')
      throw new AwsError('SignatureDoesNotMatch', `Credential should be scoped to correct service: 'sts'.`, 403);
    verifySignature(context.request, signature, found.secretAccessKey, clock.now());
    const { principal } = found;
    const UserId = principal.roleArn ? `${roleId(principal.roleArn)}:${principal.sessionName}` : accountId;
    return { Arn: principal.arn, UserId, Account: accountOf(principal) };
  }

  private assumeRole(input: Parameters, context: CallContext): XmlValue {
    const caller = context.principal;
    if (!caller) throw missingToken();
    const { RoleArn: roleArn = '', RoleSessionName: sessionName = '', Policy: policy } = input;
    if (!/^arn:aws:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(roleArn)) throw invalid(`${roleArn || 'RoleArn'} is invalid`);
    if (!/^[\w+=,.@-]{2,64}$/.test(sessionName))
      throw invalid(
        `1 validation error detected: Value '${sessionName}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]* and have length between 2 and 64`,
      );
    const seconds = durationSeconds(input, caller);
    const tags = readTags(input);
    if (policy !== undefined) validatePolicy(policy);
    if (!this.roles.roleExists(roleArn))
      throw new AwsError(
        'AccessDenied',
        `User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${roleArn}`,
        403,
      );
    const issued = this.environment.credentials.issue(roleArn, sessionName, seconds, tags, policy);
    const packed = JSON.stringify(tags).length - 2 + (policy?.length ?? 0);
    return {
      Credentials: {
        AccessKeyId: issued.accessKeyId,
        SecretAccessKey: issued.secretAccessKey,
        SessionToken: issued.sessionToken,
        Expiration: new Date(issued.expiresAtMs).toISOString(),
      },
      AssumedRoleUser: { AssumedRoleId: `${roleId(roleArn)}:${sessionName}`, Arn: issued.principal.arn },
      ...(packed > 0 && { PackedPolicySize: Math.ceil((100 * packed) / 4096) }),
    };
  }
}

function durationSeconds(input: Parameters, caller: Principal): number {
  const seconds = Number(input.DurationSeconds ?? 3600);
  if (!Number.isInteger(seconds) || seconds < 900 || seconds > 43_200)
    throw invalid(
      `1 validation error detected: Value '${input.DurationSeconds}' at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200`,
    );
  if (caller.roleArn && seconds > 3600)
    throw invalid('The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining');
  return seconds;
}

function readTags(input: Parameters): Record<string, string> {
  const tags: Record<string, string> = {};
  let count = 0;
  for (let index = 1; input[`Tags.member.${index}.Key`] !== undefined; index++) {
    const key = input[`Tags.member.${index}.Key`]!;
    const value = input[`Tags.member.${index}.Value`] ?? '';
    if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u.test(key) || !/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u.test(value))
      throw invalid(
        `The session tag '${key}' with the value '${value}' is invalid: 1 to 128 and 0 to 256 letters, digits, spaces and _.:/=+-@ are allowed`,
      );
    if (Object.keys(tags).some((other) => other.toLowerCase() === key.toLowerCase()))
      throw new AwsError(
        'InvalidParameterValue',
        'Duplicate tag keys found. Please note that Tag keys are case insensitive.',
      );
    tags[key] = value;
    count = index;
  }
  if (count > 50) throw invalid(`At most 50 session tags are allowed, not ${count}`);
  return tags;
}

function validatePolicy(policy: string): void {
  try {
    if (policy.length <= 2048 && typeof JSON.parse(policy) === 'object') return;
  } catch {
    // Falls through to the refusal below.
  }
  throw new AwsError(
    'MalformedPolicyDocument',
    `The session policy must be JSON of at most 2048 characters; it has ${policy.length}.`,
  );
}

function parameters(request: WireRequest): Parameters {
  const body = request.method === 'POST' ? Buffer.from(request.body).toString('utf8') : request.rawQuery;
  return Object.fromEntries([...new URLSearchParams(body)].filter(([name]) => !name.startsWith('X-Amz-')));
}

const wantsJson = (request: WireRequest) => (request.headers.accept ?? '').includes('application/json');
const accountOf = (principal: Principal) => principal.arn.split(':')[4] ?? '';
const invalid = (message: string) => new AwsError('ValidationError', message);
const missingToken = () => new AwsError('MissingAuthenticationToken', 'Request is missing Authentication Token', 403);

/** A stable stand-in for the unique id of a role. */
function roleId(roleArn: string): string {
  const letters = Buffer.from(roleArn).toString('hex').toUpperCase();
  return `AROA${letters.slice(-17)}`;
}

function xml(status: number, body: string): WireResponse {
  return { status, headers: { 'content-type': 'text/xml' }, body };
}

function json(status: number, body: unknown): WireResponse {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
