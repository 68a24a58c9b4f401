import { expect, it } from 'vitest';
import { LogsService } from '../../local/services/logs.ts';
import { callTarget, makeEnvironment, makeWire } from '../support/embedded.ts';

function setUp(maxEventsPerGroup?: number) {
  const environment = makeEnvironment();
  const service = new LogsService(environment, maxEventsPerGroup);
  const wire = makeWire(environment, service);
  const call = (operation: string, input: object) => callTarget(wire, `Logs_20140328.${operation}`, input);
  const messages = async (operation: string, input: object) =>
    ((await call(operation, { logGroupName: 'g', ...input })).events as { message: string }[]).map(
      ({ message }) => message,
    );
  return { clock: environment.clock, service, call, messages };
}

it('keeps lines of a stream and hands them out page by page', async () => {
  const { service, call, messages } = setUp();
  service.append('g', 's', ['1', '2', '3']);
  const stream = { logGroupName: 'g', logStreamName: 's', limit: 2 };
  expect(await messages('GetLogEvents', stream)).toEqual(['2', '3']);
  const first = await call('GetLogEvents', { ...stream, startFromHead: true });
  expect(first.events).toMatchObject([{ message: '1' }, { message: '2' }]);
  const second = await call('GetLogEvents', { ...stream, nextToken: first.nextForwardToken });
  expect(second.events).toMatchObject([{ message: '3' }]);
  const end = await call('GetLogEvents', { ...stream, nextToken: second.nextForwardToken });
  expect(end).toMatchObject({ events: [], nextForwardToken: second.nextForwardToken });
});

it('takes events over the wire, in order, for groups and streams that are there', async () => {
  const { clock, call, messages } = setUp();
  const stream = { logGroupName: 'g', logStreamName: 's' };
  const put = (...timestamps: number[]) =>
    call('PutLogEvents', {
      ...stream,
      logEvents: timestamps.map((timestamp) => ({ timestamp, message: String(timestamp) })),
    });
  expect(await put(1)).toMatchObject({ __type: 'ResourceNotFoundException' });
  await call('CreateLogGroup', { logGroupName: 'g' });
  await call('CreateLogStream', stream);
  expect(await call('CreateLogStream', stream)).toMatchObject({ __type: 'ResourceAlreadyExistsException' });
  const now = clock.now();
  expect(await put(now, now - 1)).toMatchObject({ __type: 'InvalidParameterException' });
  await put(now);
  await put(now - 5);
  expect(await messages('GetLogEvents', stream)).toEqual([String(now - 5), String(now)]);
  expect(await messages('GetLogEvents', { ...stream, startTime: now })).toEqual([String(now)]);
});

it('finds lines of several streams by time and by words', async () => {
  const { clock, service, call, messages } = setUp();
  service.append('g', 'a/1', ['error: one', 'fine']);
  clock.step(clock.now() + 10);
  service.append('g', 'b/1', ['error: two']);
  service.append('g', 'a/2', ['an error: three']);
  expect(await messages('FilterLogEvents', { filterPattern: '"error:"' })).toEqual([
    'error: one',
    'error: two',
    'an error: three',
  ]);
  expect(await messages('FilterLogEvents', { logStreamNamePrefix: 'a/' })).toEqual([
    'error: one',
    'fine',
    'an error: three',
  ]);
  expect(await messages('FilterLogEvents', { startTime: clock.now() })).toEqual(['error: two', 'an error: three']);
  expect(await call('FilterLogEvents', { logGroupName: 'g', filterPattern: '{ $.level = "x" }' })).toMatchObject({
    status: 501,
  });
});

it('describes groups and streams', async () => {
  const { service, call } = setUp();
  service.append('g', 's1', ['x']);
  service.append('g', 's2', ['x']);
  await call('PutRetentionPolicy', { logGroupName: 'g', retentionInDays: 7 });
  expect(await call('PutRetentionPolicy', { logGroupName: 'g', retentionInDays: 8 })).toMatchObject({
    __type: 'InvalidParameterException',
  });
  expect(await call('DescribeLogGroups', {})).toMatchObject({
    logGroups: [{ logGroupName: 'g', retentionInDays: 7, arn: 'arn:aws:logs:us-east-1:000000000000:log-group:g:*' }],
  });
  expect(await call('DescribeLogStreams', { logGroupName: 'g', limit: 1, descending: true })).toMatchObject({
    logStreams: [{ logStreamName: 's2' }],
    nextToken: '1',
  });
});

it('forgets what is older than the retention, and the oldest when there is too much', async () => {
  const { clock, service, call, messages } = setUp(100);
  service.append('g', 's', ['old']);
  await call('PutRetentionPolicy', { logGroupName: 'g', retentionInDays: 1 });
  clock.step(clock.now() + 2 * 86_400_000);
  expect(await messages('FilterLogEvents', {})).toEqual([]);
  for (let line = 0; line < 500; line++) service.append('g', 's', [String(line)]);
  const kept = await messages('FilterLogEvents', {});
  expect(kept.length).toBeLessThanOrEqual(100);
  expect(kept.at(-1)).toBe('499');
});
