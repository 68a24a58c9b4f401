import { expect } from 'vitest';
import { contract, type World } from './claim.ts';

/** A log group with one stream. */
async function group(world: World) {
  const call = (operation: string, input: object) => world.target('logs', `Logs_20140328.${operation}`, input);
  const logGroupName = `/rouse/${world.unique('contract')}`;
  await call('CreateLogGroup', { logGroupName });
  world.later(() => call('DeleteLogGroup', { logGroupName }));
  const logStreamName = 'stream';
  await call('CreateLogStream', { logGroupName, logStreamName });
  const put = (...messages: string[]) =>
    call('PutLogEvents', {
      logGroupName,
      logStreamName,
      logEvents: messages.map((message, at) => ({ message, timestamp: Date.now() - messages.length + at })),
    });
  const get = async (more: object = {}) => {
    const answer = await call('GetLogEvents', { logGroupName, logStreamName, startFromHead: true, ...more });
    return answer as { events: { message: string }[]; nextForwardToken: string };
  };
  return { call, logGroupName, logStreamName, put, get };
}

contract('Logs', (claim) => {
  claim('CreateLogGroup', 'the same name twice is refused', async (world) => {
    const { call, logGroupName } = await group(world);
    const again = call('CreateLogGroup', { logGroupName });
    await expect(again).rejects.toMatchObject({ name: 'ResourceAlreadyExistsException' });
  });

  claim('PutLogEvents', 'lines come back in their order', async (world) => {
    const { put, get } = await group(world);
    await put('one', 'two', 'three');
    expect((await get()).events.map(({ message }) => message)).toEqual(['one', 'two', 'three']);
  });

  claim('PutLogEvents', 'to a stream that is not there is ResourceNotFoundException', async (world) => {
    const { call, logGroupName } = await group(world);
    const logEvents = [{ message: 'x', timestamp: Date.now() }];
    const put = call('PutLogEvents', { logGroupName, logStreamName: 'none', logEvents });
    await expect(put).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  claim('GetLogEvents', 'goes page by page, and the token of the end is that of the page before', async (world) => {
    const { put, get } = await group(world);
    await put('one', 'two', 'three');
    const first = await get({ limit: 2 });
    expect(first.events.map(({ message }) => message)).toEqual(['one', 'two']);
    const second = await get({ limit: 2, nextToken: first.nextForwardToken });
    expect(second.events.map(({ message }) => message)).toEqual(['three']);
    const end = await get({ limit: 2, nextToken: second.nextForwardToken });
    expect(end).toMatchObject({ events: [], nextForwardToken: second.nextForwardToken });
  });

  claim('FilterLogEvents', 'finds lines by words', async (world) => {
    const { call, logGroupName, put } = await group(world);
    await put('an error came', 'all is well');
    const { events } = await call('FilterLogEvents', { logGroupName, filterPattern: 'error' });
    expect(events).toMatchObject([{ message: 'an error came', logStreamName: 'stream' }]);
  });

  claim('DescribeLogStreams', 'lists streams by prefix', async (world) => {
    const { call, logGroupName } = await group(world);
    const { logStreams } = await call('DescribeLogStreams', { logGroupName, logStreamNamePrefix: 'str' });
    expect(logStreams).toMatchObject([{ logStreamName: 'stream' }]);
  });
});
