import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { localAdministrator } from '../local/credentials.ts';
import type { StartedStack } from '../local/start/stack.ts';
import type { Fleet } from './fleet.ts';
import { Hops } from './hops.ts';

/** Milliseconds, one each sample. */
export interface LatencySamples {
  putItem: number[];
  submitToStarted: number[];
  submitToFinished: number[];
  /** The parts of {@link submitToStarted}, in their order, and what follows until the task has finished. */
  hops: Record<string, number[]>;
  /** Calls of AWS between the submit and the claim, one after the other. */
  callsToStarted: number[];
}

/** Of the item that one PutItem writes: about that of a task's record. */
const itemBytes = 400;
const putsPerSample = 4;

/**
 * Times tasks on an agent that waits, one after the other, and between them PutItems by an SDK client over HTTP to the
 * same endpoint: what a machine makes of both is the same, so their ratio says more than either.
 */
export async function measureLatency(
  stack: StartedStack,
  fleet: Fleet,
  agentId: string,
  count: number,
): Promise<LatencySamples> {
  const putItem = putter(stack);
  const hops = new Hops(stack.aws);
  const samples: LatencySamples = {
    putItem: [],
    submitToStarted: [],
    submitToFinished: [],
    hops: {},
    callsToStarted: [],
  };
  for (let warmUp = 0; warmUp < 20; warmUp++) await putItem();
  for (let sample = 0; sample < count; sample++) {
    await fleet.quiet();
    for (let put = 0; put < putsPerSample; put++) samples.putItem.push(await putItem());
    hops.begin();
    const times = await fleet.run(agentId);
    samples.submitToStarted.push(times.startedMs - times.submittedMs);
    samples.submitToFinished.push(times.finishedMs - times.submittedMs);
    samples.callsToStarted.push(hops.callsUntil(times.startedMs));
    for (const [name, durationMs] of hops.between(times)) {
      samples.hops[name] = [...(samples.hops[name] ?? []), durationMs];
    }
  }
  hops.close();
  return samples;
}

/** One PutItem, and how long it took. Its rows are none that the recorder is told of. */
function putter(stack: StartedStack): () => Promise<number> {
  const client = new DynamoDBClient({
    endpoint: stack.awsEndpointUrl,
    region: stack.aws.region,
    credentials: localAdministrator,
  });
  const command = new PutItemCommand({
    TableName: stateTableOf(stack),
    Item: { pk: { S: 'benchmark' }, sk: { S: 'row' }, text: { S: 'x'.repeat(itemBytes) } },
  });
  return async () => {
    const startMs = performance.now();
    await client.send(command);
    return performance.now() - startMs;
  };
}

function stateTableOf({ aws }: StartedStack): string {
  const name = aws.lambda.definitions()[0]?.environment.ROUSE_STATE_TABLE;
  if (!name) throw new Error('No function is deployed that names the state table in ROUSE_STATE_TABLE.');
  return name;
}
