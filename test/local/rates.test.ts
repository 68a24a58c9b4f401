import { ECSClient, ListTasksCommand } from '@aws-sdk/client-ecs';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../local/clock.ts';
import { publishedRates, Rates } from '../../local/rates.ts';
import { startEmbeddedAws } from '../support/embedded.ts';

const spot = { capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT', weight: 1 }] };

function setUp() {
  const clock = new ManualClock();
  const rates = new Rates(clock, publishedRates);
  /** How many calls in a row are taken, of at most 500. */
  const taken = (service: string, operation: string, input: Record<string, unknown> = {}) => {
    for (let count = 0; count < 500; count++) {
      try {
        rates.check(service, operation, input);
      } catch {
        return count;
      }
    }
    return 500;
  };
  return { clock, rates, taken };
}

describe('the published rates', () => {
  it('take a burst, and then what comes back each second', () => {
    const { clock, taken } = setUp();
    expect(taken('ecs', 'DescribeTasks')).toBe(100);
    clock.step(clock.now() + 1000);
    expect(taken('ecs', 'ListTasks')).toBe(20);
    clock.step(clock.now() + 60_000);
    expect(taken('ecs', 'DescribeTasks')).toBe(100);
  });

  it('take twenty launches a second for ever, one each 50 ms', () => {
    const { clock, taken } = setUp();
    expect(taken('ecs', 'RunTask')).toBe(20);
    for (let launch = 0; launch < 200; launch++) {
      clock.step(clock.now() + 50);
      expect(taken('ecs', 'RunTask')).toBe(1);
    }
  });

  it('count each task of a launch, on Spot and On-Demand apart', () => {
    const { taken } = setUp();
    expect(taken('ecs', 'RunTask', { count: 10 })).toBe(10);
    expect(taken('ecs', 'RunTask', { count: 10, ...spot })).toBe(10);
  });

  it('let launches and stops share what modifies a cluster', () => {
    const { taken } = setUp();
    expect(taken('ecs', 'RunTask')).toBe(20);
    expect(taken('ecs', 'StopTask')).toBe(80);
  });

  it('take nothing for a call that is refused', () => {
    const { clock, taken } = setUp();
    expect(taken('ecs', 'RunTask')).toBe(20);
    expect(taken('ecs', 'RunTask', { count: 10 })).toBe(0);
    clock.step(clock.now() + 1000);
    expect(taken('ecs', 'RunTask')).toBe(20);
  });
});

it('the embedded AWS throttles in the words of AWS', async () => {
  const aws = await startEmbeddedAws();
  const client = new ECSClient({
    region: aws.region,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    requestHandler: aws.requestHandler(),
    maxAttempts: 1,
  });
  const list = () => client.send(new ListTasksCommand({ cluster: 'none' })).catch((error: unknown) => error);
  const answers = await Promise.all(Array.from({ length: 101 }, list));
  expect(answers[99]).toMatchObject({ name: 'ClusterNotFoundException' });
  expect(answers[100]).toMatchObject({
    name: 'ThrottlingException',
    message: 'Rate exceeded',
    $metadata: { httpStatusCode: 400 },
  });
  await aws.close();
});
