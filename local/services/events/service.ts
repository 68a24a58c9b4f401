import { randomUUID } from 'node:crypto';
import { AwsError, notEmulated, refuseUnknownParameters } from '../../errors.ts';
import type { Environment, JsonService } from '../../service.ts';
import type { StoredMap } from '../../store.ts';
import { type NewEvent, readEntries } from './entries.ts';
import { type InputSettings, payloadFor, readPath, validateInput } from './input.ts';
import { compilePattern, type Matcher } from './pattern.ts';
import { deliver, noRouter, type TargetRouter } from './target-router.ts';

type Input = Record<string, unknown>;

export interface Target extends InputSettings {
  Id: string;
  Arn: string;
  RoleArn?: string;
  SqsParameters?: { MessageGroupId?: string };
  RetryPolicy?: { MaximumRetryAttempts?: number; MaximumEventAgeInSeconds?: number };
  DeadLetterConfig?: { Arn?: string };
}

interface StoredRule {
  name: string;
  bus: string;
  arn: string;
  pattern: string;
  state: 'ENABLED' | 'DISABLED';
  description?: string;
  roleArn?: string;
  targets: Target[];
}

export type { NewEvent } from './entries.ts';

export interface Event {
  version: '0';
  id: string;
  'detail-type': string;
  source: string;
  account: string;
  time: string;
  region: string;
  resources: string[];
  detail: unknown;
}

const maxHops = 5;
const targetParameters = [
  'Id',
  'Arn',
  'RoleArn',
  'Input',
  'InputPath',
  'InputTransformer',
  'SqsParameters',
  'RetryPolicy',
  'DeadLetterConfig',
];
const namePattern = /^[/.\-_A-Za-z0-9]{1,256}$/;

/** EventBridge: buses, rules with event patterns, targets. */
export class EventsService implements JsonService {
  readonly protocol = 'json';
  readonly name = 'events';
  readonly targetPrefix = 'AWSEvents';
  readonly jsonVersion = '1.1';
  router: TargetRouter = noRouter;
  private readonly environment: Environment;
  private readonly buses: StoredMap<{ name: string }>;
  private readonly rules: StoredMap<StoredRule>;
  private readonly matchers = new Map<string, Matcher>();
  private readonly operations: Record<string, { known: readonly string[]; run(input: Input): unknown }>;

  constructor(environment: Environment) {
    this.environment = environment;
    this.buses = environment.store.map('events-buses');
    this.rules = environment.store.map('events-rules');
    if (!this.buses.has('default')) this.buses.set('default', { name: 'default' });
    this.operations = this.table();
  }

  async call(operation: string, input: Input): Promise<unknown> {
    const found = this.operations[operation];
    if (!found) throw notEmulated('events', `operation ${operation}`);
    refuseUnknownParameters('events', operation, input, found.known);
    return found.run(input);
  }

  busArn(name: string): string {
    return this.arn(`event-bus/${name}`);
  }

  /** Publishes an event of an AWS service, on the default bus by default. Returns its id. */
  publish(event: NewEvent, bus = 'default'): string {
    const { accountId, region, clock } = this.environment;
    const envelope: Event = {
      version: '0',
      id: randomUUID(),
      'detail-type': event.detailType,
      source: event.source,
      account: accountId,
      time: new Date(event.timeMs ?? clock.now()).toISOString().replace(/\.\d{3}Z$/, 'Z'),
      region,
      resources: event.resources ?? [],
      detail: event.detail,
    };
    this.dispatch(envelope, bus, 1);
    return envelope.id;
  }

  private table(): EventsService['operations'] {
    return {
      CreateEventBus: { known: ['Name', 'Description', 'Tags'], run: (input) => this.createBus(input) },
      DescribeEventBus: {
        known: ['Name'],
        run: (input) => ({ Name: this.bus(input.Name), Arn: this.busArn(this.bus(input.Name)) }),
      },
      DeleteEventBus: { known: ['Name'], run: (input) => this.deleteBus(input) },
      PutRule: {
        known: ['Name', 'EventPattern', 'State', 'Description', 'RoleArn', 'EventBusName', 'Tags'],
        run: (input) => this.putRule(input),
      },
      DescribeRule: { known: ['Name', 'EventBusName'], run: (input) => render(this.rule(input)) },
      ListRules: { known: ['NamePrefix', 'EventBusName', 'NextToken', 'Limit'], run: (input) => this.listRules(input) },
      DeleteRule: { known: ['Name', 'EventBusName', 'Force'], run: (input) => this.deleteRule(input) },
      PutTargets: { known: ['Rule', 'EventBusName', 'Targets'], run: (input) => this.putTargets(input) },
      RemoveTargets: { known: ['Rule', 'EventBusName', 'Ids', 'Force'], run: (input) => this.removeTargets(input) },
      ListTargetsByRule: { known: ['Rule', 'EventBusName'], run: (input) => ({ Targets: this.rule(input).targets }) },
      PutEvents: { known: ['Entries'], run: (input) => this.putEvents(input) },
    };
  }

  private createBus(input: Input): unknown {
    const name = String(input.Name ?? '');
    if (!namePattern.test(name) || name.includes('/'))
      throw new AwsError(
        'ValidationException',
        `Event bus name ${name} must be 1 to 256 of the characters . - _ A-Z a-z 0-9.`,
      );
    if (this.buses.has(name)) throw new AwsError('ResourceAlreadyExistsException', `Event bus ${name} already exists.`);
    this.buses.set(name, { name });
    return { EventBusArn: this.busArn(name) };
  }

  private deleteBus(input: Input): void {
    const name = busName(input.Name);
    if (name === 'default') throw new AwsError('ValidationException', 'Cannot delete event bus default.');
    if ([...this.rules.values()].some((rule) => rule.bus === name))
      throw new AwsError('ValidationException', "Event bus can't be deleted since it has rules.");
    this.buses.delete(name);
  }

  private putRule(input: Input): unknown {
    const bus = this.bus(input.EventBusName);
    const name = String(input.Name ?? '');
    if (!/^[.\-_A-Za-z0-9]{1,64}$/.test(name))
      throw new AwsError(
        'ValidationException',
        `Rule name ${name} must be 1 to 64 of the characters . - _ A-Z a-z 0-9.`,
      );
    if (typeof input.EventPattern !== 'string')
      throw new AwsError(
        'ValidationException',
        'Parameter(s) EventPattern must be specified: the embedded AWS has no rules with schedules.',
      );
    const state = input.State ?? 'ENABLED';
    if (state !== 'ENABLED' && state !== 'DISABLED') throw notEmulated('events', `State ${state} of PutRule`);
    compilePattern(input.EventPattern);
    const key = `${bus}/${name}`;
    const rule: StoredRule = {
      name,
      bus,
      arn: this.arn(bus === 'default' ? `rule/${name}` : `rule/${key}`),
      pattern: input.EventPattern,
      state,
      ...(input.Description !== undefined && { description: String(input.Description) }),
      ...(input.RoleArn !== undefined && { roleArn: String(input.RoleArn) }),
      targets: this.rules.get(key)?.targets ?? [],
    };
    this.rules.set(key, rule);
    return { RuleArn: rule.arn };
  }

  private listRules(input: Input): unknown {
    const bus = this.bus(input.EventBusName);
    const limit = (input.Limit ?? 100) as number;
    const after = input.NextToken === undefined ? '' : Buffer.from(String(input.NextToken), 'base64url').toString();
    const rules = [...this.rules.values()]
      .filter((rule) => rule.bus === bus && rule.name > after && rule.name.startsWith(String(input.NamePrefix ?? '')))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const page = rules.slice(0, limit);
    return {
      Rules: page.map(render),
      ...(rules.length > limit && { NextToken: Buffer.from(page.at(-1)!.name).toString('base64url') }),
    };
  }

  private deleteRule(input: Input): void {
    const bus = this.bus(input.EventBusName);
    const rule = this.rules.get(`${bus}/${String(input.Name)}`);
    if (rule && rule.targets.length > 0)
      throw new AwsError('ValidationException', "Rule can't be deleted since it has targets.");
    this.rules.delete(`${bus}/${String(input.Name)}`);
  }

  private putTargets(input: Input): unknown {
    const rule = this.rule(input);
    const targets = (input.Targets ?? []) as (Target & Input)[];
    for (const target of targets) {
      refuseUnknownParameters('events', 'PutTargets', target, targetParameters);
      validateInput(target);
    }
    const ids = new Set(targets.map(({ Id }) => Id));
    const all = [...rule.targets.filter(({ Id }) => !ids.has(Id)), ...targets];
    if (all.length > 5)
      throw new AwsError(
        'LimitExceededException',
        'The requested resource exceeds the maximum number allowed: a rule has at most 5 targets.',
      );
    rule.targets = all;
    this.rules.set(`${rule.bus}/${rule.name}`, rule);
    return { FailedEntryCount: 0, FailedEntries: [] };
  }

  private removeTargets(input: Input): unknown {
    const rule = this.rule(input);
    const ids = (input.Ids ?? []) as string[];
    const unknown = ids.filter((id) => !rule.targets.some(({ Id }) => Id === id));
    rule.targets = rule.targets.filter(({ Id }) => !ids.includes(Id));
    this.rules.set(`${rule.bus}/${rule.name}`, rule);
    const FailedEntries = unknown.map((TargetId) => ({
      TargetId,
      ErrorCode: 'ResourceNotFoundException',
      ErrorMessage: `Target ${TargetId} does not exist.`,
    }));
    return { FailedEntryCount: FailedEntries.length, FailedEntries };
  }

  private putEvents(input: Input): unknown {
    const answers = readEntries(input.Entries).map((entry) => {
      if ('ErrorCode' in entry) return entry;
      const bus = busName(entry.bus);
      // AWS takes events for a bus that is not there, and drops them.
      if (!this.buses.has(bus)) this.environment.log(`events: an event was dropped, there is no bus ${bus}`);
      return { EventId: this.publish(entry.event, bus) };
    });
    return { FailedEntryCount: answers.filter((answer) => 'ErrorCode' in answer).length, Entries: answers };
  }

  private dispatch(event: Event, bus: string, hop: number): void {
    for (const rule of this.rules.values()) {
      if (rule.bus !== bus || rule.state === 'DISABLED' || !this.matcher(rule.pattern)(event)) continue;
      for (const target of rule.targets) this.send(event, rule, target, hop);
    }
  }

  private send(event: Event, rule: StoredRule, target: Target, hop: number): void {
    const toBus = /^arn:aws:events:[^:]*:\d+:event-bus\/(.+)$/.exec(target.Arn)?.[1];
    const router = (): TargetRouter =>
      toBus === undefined ? this.router : { send: async () => this.forward(event, toBus, hop) };
    const group = target.SqsParameters?.MessageGroupId;
    const groupId = group?.startsWith('$.') ? String(readPath(event, group) ?? '') : group;
    const reserved = {
      'aws.events.rule-arn': rule.arn,
      'aws.events.rule-name': rule.name,
      'aws.events.event.ingestion-time': event.time,
    };
    const payload = payloadFor(event, target, reserved);
    deliver(this.environment, router, {
      target: target.Arn,
      options: { source: 'events', sourceArn: rule.arn, ...(groupId !== undefined && { groupId }) },
      body: event,
      payload: () => payload,
      maxRetries: target.RetryPolicy?.MaximumRetryAttempts ?? 185,
      maxAgeSeconds: target.RetryPolicy?.MaximumEventAgeInSeconds ?? 86_400,
      deadLetterArn: target.DeadLetterConfig?.Arn,
      deadLetterBody: () => JSON.stringify(event),
      deadLetterAttributes: { RULE_ARN: rule.arn },
    });
  }

  private forward(event: Event, bus: string, hop: number): void {
    if (!this.buses.has(bus)) throw new AwsError('ResourceNotFoundException', `Event bus ${bus} does not exist.`);
    if (hop >= maxHops)
      throw new AwsError(
        'ResourceNotFoundException',
        `The event ${event.id} went from bus to bus ${hop} times: the rules form a loop.`,
      );
    this.dispatch(event, bus, hop + 1);
  }

  private matcher(pattern: string): Matcher {
    let matcher = this.matchers.get(pattern);
    if (!matcher) {
      matcher = compilePattern(pattern);
      this.matchers.set(pattern, matcher);
    }
    return matcher;
  }

  private bus(name: unknown): string {
    const bus = busName(name);
    if (!this.buses.has(bus)) throw new AwsError('ResourceNotFoundException', `Event bus ${bus} does not exist.`);
    return bus;
  }

  private rule(input: Input): StoredRule {
    const bus = this.bus(input.EventBusName);
    const name = String(input.Name ?? input.Rule ?? '');
    const rule = this.rules.get(`${bus}/${name}`);
    if (!rule) throw new AwsError('ResourceNotFoundException', `Rule ${name} does not exist on EventBus ${bus}.`);
    return rule;
  }

  private arn(resource: string): string {
    return `arn:aws:events:${this.environment.region}:${this.environment.accountId}:${resource}`;
  }
}

/** A bus is named by its name or its ARN. */
function busName(value: unknown): string {
  const text = String(value ?? 'default');
  return text.startsWith('arn:') ? text.slice(text.indexOf('/') + 1) : text;
}

function render(rule: StoredRule): unknown {
  const { name, bus, arn, pattern, state, description, roleArn } = rule;
  return {
    Name: name,
    Arn: arn,
    EventPattern: pattern,
    State: state,
    Description: description,
    RoleArn: roleArn,
    EventBusName: bus,
  };
}
