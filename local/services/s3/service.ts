import { AwsError, notEmulated } from '../../errors.ts';
import type { CallContext, Environment, WireRequest, WireResponse, WireService } from '../../service.ts';
import { parseSignature, verifySignature } from '../../sigv4.ts';
import type { StoredMap } from '../../store.ts';
import { toXml, type XmlValue, xmlDeclaration } from '../../xml.ts';
import { Bodies } from './bodies.ts';
import { Bucket, type StoredBucket } from './bucket.ts';
import { noSuchBucket } from './errors.ts';
import { Objects } from './objects.ts';
import { answer, operationOf, readRequest, type S3Request, xmlAnswer } from './request.ts';
import { Uploads } from './uploads.ts';

type Operation = (request: S3Request) => WireResponse | Promise<WireResponse>;

/** Amazon S3: buckets without versions, objects, multipart uploads, presigned URLs. */
export class S3Service implements WireService {
  readonly protocol = 'wire';
  readonly name = 's3';
  private readonly environment: Environment;
  private readonly definitions: StoredMap<StoredBucket>;
  private readonly buckets = new Map<string, Bucket>();
  private readonly objects: Objects;
  private readonly operations: Record<string, Operation>;

  constructor(environment: Environment) {
    this.environment = environment;
    this.definitions = environment.store.map('s3-buckets');
    for (const definition of this.definitions.values()) this.hold(definition);
    const bodies = new Bodies(environment.store.folder);
    this.objects = new Objects(bodies, environment.clock);
    this.operations = this.table(new Uploads(bodies, this.objects, environment.clock));
  }

  operation(request: WireRequest): string {
    try {
      return operationOf(readRequest(request));
    } catch {
      return 'unknown';
    }
  }

  handle(wireRequest: WireRequest, context: CallContext): Promise<WireResponse> {
    return this.environment.activity.track(this.perform(wireRequest, context));
  }

  renderError(error: AwsError, context: CallContext): WireResponse {
    const { code, status } =
      error.code === 'InvalidClientTokenId' ? { code: 'InvalidAccessKeyId', status: 403 } : error;
    if (context.request.method === 'HEAD' || status === 304) return answer(status);
    const members = error.members as Record<string, XmlValue>;
    const body = { Code: code, Message: error.message, ...members, RequestId: context.requestId };
    return answer(status, { 'content-type': 'application/xml' }, xmlDeclaration + toXml('Error', body));
  }

  /** Makes a bucket, or changes the attributes of the one that is there. For the deployer. */
  createBucket(name: string, attributes: Record<string, unknown> = {}): void {
    validateBucketName(name);
    const existing = this.buckets.get(name);
    if (existing) {
      Object.assign(existing.definition, { attributes });
      this.definitions.set(name, existing.definition);
      return;
    }
    const definition = { name, createdMs: this.environment.clock.now(), attributes };
    this.definitions.set(name, definition);
    this.hold(definition);
  }

  /** Removes a bucket, with its objects if there are any. For the deployer. */
  async removeBucket(name: string): Promise<void> {
    const bucket = this.bucket(name);
    for (const key of [...bucket.keysFrom('')]) await this.objects.remove(bucket, key);
    this.buckets.delete(name);
    this.definitions.delete(name);
  }

  /** Writes an object for another service, such as an on-failure destination. */
  async putInternal(
    bucket: string,
    key: string,
    body: string | Uint8Array,
    contentType = 'application/json',
  ): Promise<void> {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const headers = { 'content-type': contentType };
    await this.objects.put(this.bucket(bucket), {
      method: 'PUT',
      bucket,
      key,
      query: {},
      headers,
      body: bytes,
      presigned: false,
    });
  }

  private async perform(wireRequest: WireRequest, context: CallContext): Promise<WireResponse> {
    const request = readRequest(wireRequest);
    if (!context.principal) throw new AwsError('AccessDenied', 'Access Denied', 403);
    if (request.presigned) this.verifyPresigned(wireRequest);
    const owner = request.headers['x-amz-expected-bucket-owner'];
    if (owner !== undefined && owner !== this.environment.accountId)
      throw new AwsError('AccessDenied', 'Access Denied', 403);
    const name = operationOf(request);
    const operation = this.operations[name];
    if (!operation) throw notEmulated('s3', `operation ${name}`);
    return operation(request);
  }

  /** Only presigned URLs go through hands that may change them. */
  private verifyPresigned(request: WireRequest): void {
    const { credentials, clock } = this.environment;
    const signature = parseSignature(request);
    const found = signature && credentials.find(signature.accessKeyId);
    if (!found || (signature.sessionToken ?? '') !== found.sessionToken)
      throw new AwsError('InvalidToken', 'The provided token is malformed or otherwise invalid.', 400);
    verifySignature(request, signature, found.secretAccessKey, clock.now());
  }

  private table(uploads: Uploads): Record<string, Operation> {
    const { objects } = this;
    const onBucket =
      (run: (bucket: Bucket, request: S3Request) => WireResponse | Promise<WireResponse>): Operation =>
      (request) =>
        run(this.bucket(request.bucket), request);
    return {
      ListBuckets: () => this.list(),
      CreateBucket: ({ bucket }) => {
        this.createBucket(bucket, this.buckets.get(bucket)?.definition.attributes);
        return answer(200, { location: `/${bucket}` });
      },
      HeadBucket: onBucket(() => answer(200, { 'x-amz-bucket-region': this.environment.region })),
      DeleteBucket: onBucket((bucket) => this.deleteEmpty(bucket)),
      ListObjectsV2: onBucket((bucket, request) => objects.list(bucket, request)),
      DeleteObjects: onBucket((bucket, request) => objects.deleteMany(bucket, request)),
      PutObject: onBucket((bucket, request) => objects.put(bucket, request)),
      GetObject: onBucket((bucket, request) => objects.get(bucket, request)),
      HeadObject: onBucket((bucket, request) => objects.get(bucket, request)),
      DeleteObject: onBucket((bucket, request) => objects.delete(bucket, request)),
      CopyObject: onBucket((bucket, request) => objects.copy(bucket, request, (name) => this.bucket(name))),
      CreateMultipartUpload: onBucket((bucket, request) => uploads.create(bucket, request)),
      UploadPart: onBucket((bucket, request) => uploads.put(bucket, request)),
      UploadPartCopy: onBucket((bucket, request) => {
        const { source: object } = objects.sourceOf(request, (name) => this.bucket(name));
        return uploads.copyPart(bucket, request, { object, range: request.headers['x-amz-copy-source-range'] });
      }),
      CompleteMultipartUpload: onBucket((bucket, request) => uploads.complete(bucket, request)),
      AbortMultipartUpload: onBucket((bucket, request) => uploads.abort(bucket, request)),
      ListParts: onBucket((bucket, request) => uploads.list(bucket, request)),
    };
  }

  private list(): WireResponse {
    const { accountId } = this.environment;
    const buckets = [...this.buckets.values()]
      .map(({ definition }) => definition)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return xmlAnswer('ListAllMyBucketsResult', {
      Owner: { ID: accountId },
      Buckets: {
        Bucket: buckets.map(({ name, createdMs }) => ({ Name: name, CreationDate: new Date(createdMs).toISOString() })),
      },
    });
  }

  private deleteEmpty(bucket: Bucket): WireResponse {
    if (bucket.size > 0) throw new AwsError('BucketNotEmpty', 'The bucket you tried to delete is not empty', 409);
    this.buckets.delete(bucket.definition.name);
    this.definitions.delete(bucket.definition.name);
    return answer(204);
  }

  private hold(definition: StoredBucket): void {
    const { store } = this.environment;
    const { name } = definition;
    this.buckets.set(name, new Bucket(definition, store.map(`s3-objects:${name}`), store.map(`s3-uploads:${name}`)));
  }

  private bucket(name: string): Bucket {
    const bucket = this.buckets.get(name);
    if (!bucket) throw noSuchBucket(name);
    return bucket;
  }
}

function validateBucketName(name: string): void {
  if (!/^[a-z\d][a-z\d.-]{1,61}[a-z\d]$/.test(name) || /\.\.|^\d+\.\d+\.\d+\.\d+$/.test(name))
    throw new AwsError('InvalidBucketName', 'The specified bucket is not valid.', 400, { BucketName: name });
}
