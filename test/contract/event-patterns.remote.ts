/** Event patterns, drawn at random, on random events: the embedded AWS's against what the backend's TestEventPattern says. */
import { expect, it } from 'vitest';
import { compilePattern } from '../../local/services/events/pattern.ts';
import { Draw } from '../differential/draw.ts';
import { backend } from './backend.ts';

type Json = Record<string, unknown>;

const texts = ['a', 'ab', 'abc', 'B', 'b', 'task.succeeded', ''];
const numbers = [0, 1, 2.5, -1, 100];
const names = ['status', 'n', 'list', 'deep'];

function eventOf(draw: Draw): Json {
  const value = (depth: number): unknown =>
    draw.weighted<unknown>([
      [6, () => draw.of(texts)],
      [4, () => draw.of(numbers)],
      [1, () => draw.chance(0.5)],
      [1, () => null],
      [2, () => draw.many(1, 3, () => draw.of<unknown>([...texts, ...numbers]))],
      [depth < 2 ? 2 : 0, () => object(depth + 1)],
    ]);
  const object = (depth: number) =>
    Object.fromEntries(draw.some(draw.below(4), names).map((name) => [name, value(depth)]));
  return {
    id: '00000000-0000-0000-0000-000000000001',
    account: '123456789012',
    region: 'us-east-1',
    time: '2027-01-04T08:00:00Z',
    version: '0',
    resources: [],
    source: draw.of(['rouse', 'aws.ecs']),
    'detail-type': draw.of(['task.succeeded', 'task.failed']),
    detail: object(0),
  };
}

function patternOf(draw: Draw): Json {
  const fields = (depth: number): Json =>
    Object.fromEntries(draw.some(1 + draw.below(2), names).map((name) => [name, rule(depth)]));
  const rule = (depth: number): unknown =>
    depth < 2 && draw.chance(0.15) ? fields(depth + 1) : draw.many(1, 2, () => leaf(draw));
  return {
    ...(draw.chance(0.2) && {
      source: [draw.of<unknown>(['rouse', { prefix: 'aws.' }, { 'anything-but': ['rouse'] }])],
    }),
    ...(draw.chance(0.2) && { 'detail-type': [{ suffix: '.failed' }, 'task.succeeded'] }),
    ...(draw.chance(0.15)
      ? { $or: [{ detail: fields(0) }, { region: ['eu-west-1'] }] }
      : { detail: draw.chance(0.15) ? { $or: [fields(0), fields(0)] } : fields(0) }),
  };
}

function leaf(draw: Draw): unknown {
  const text = () => draw.of(texts.filter((one) => one !== ''));
  const number = () => draw.of(numbers);
  return draw.weighted<unknown>([
    [5, () => draw.of(texts)],
    [3, number],
    [1, () => draw.chance(0.5)],
    [1, () => null],
    [2, () => ({ prefix: text() })],
    [1, () => ({ suffix: text() })],
    [1, () => ({ prefix: { 'equals-ignore-case': text() } })],
    [2, () => ({ exists: draw.chance(0.5) })],
    [2, () => ({ numeric: [draw.of(['<', '<=', '=', '>', '>=']), number()] })],
    [1, () => ({ numeric: ['>', -1, '<=', number() + 2] })],
    [1, () => ({ 'equals-ignore-case': text() })],
    [1, () => ({ wildcard: draw.of(['a*', '*b', 'task.*', '*']) })],
    [2, () => ({ 'anything-but': draw.of<unknown>([text(), [text(), text()], number()]) })],
    [1, () => ({ 'anything-but': { prefix: text() } })],
    [1, () => ({ 'anything-but': { suffix: text() } })],
  ]);
}

it.each(Array.from({ length: 10 }, (_, seed) => seed))('random event patterns match alike (seed %d)', async (seed) => {
  const draw = new Draw(seed);
  const { target } = await backend();
  for (let round = 0; round < 100; round += 1) {
    const [pattern, event] = [JSON.stringify(patternOf(draw)), eventOf(draw)];
    const answer = await target('events', 'AWSEvents.TestEventPattern', {
      EventPattern: pattern,
      Event: JSON.stringify(event),
    });
    const told = `${pattern} on ${JSON.stringify(event.detail)}`;
    expect([told, compilePattern(pattern)(event)]).toEqual([told, answer.Result]);
  }
});
