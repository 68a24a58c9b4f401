import { expect, test } from 'vitest';
import { startedBy } from '../../lib/aws/runner.ts';
import { StartFailure } from '../../local/services/ecs/container-runner.ts';
import type { AgentResource } from '../support/client.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';

let agent: AgentResource;

freshStack(async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 60 });
  agent = await client.createAgent('echo');
});

const never = () => new Promise<never>(() => {});
/** The first attempt takes for ever; the others answer. */
const stuckAtFirst = () => {
  stack.fleet.program = (task) => (task.fence === 1 ? never() : 'done');
};

async function runningTask() {
  stuckAtFirst();
  const task = await client.submit(agent.id, 'x');
  await client.reaches(task.id, 'running');
  return task;
}

/** Done by another runtime; nobody blames the task for the first one. */
async function goesOn(taskId: string): Promise<void> {
  expect(await client.ended(taskId, 300)).toMatchObject({ status: 'succeeded', attempt: 2, failures: 0 });
}

const lost = async () => (await client.event(agent.id, 'agent.runtime_lost')).data;

test('a shim that exits loses no task, and its event names those that it ran', async () => {
  const task = await runningTask();
  stack.fleet.newest.die(1);
  await goesOn(task.id);
  expect(await lost()).toMatchObject({ proof: expect.stringContaining('exit code 1'), taskIds: [task.id] });
});

test('a container out of memory is told as that', async () => {
  const task = await runningTask();
  stack.fleet.newest.die(137, 'OutOfMemoryError: Container killed due to memory usage');
  await goesOn(task.id);
  expect(await lost()).toMatchObject({
    proof: expect.stringMatching(/OutOfMemoryError.*more memory than memoryMiB of its template allows/),
  });
});

test('a Spot interruption is used to hand the task back at once', async () => {
  const task = await runningTask();
  stack.aws.ecs.interrupt(stack.fleet.newest.taskArn);
  await goesOn(task.id);
  expect((await client.event(agent.id, 'task.requeued')).data).toMatchObject({
    reason: 'the runtime stops',
  });
  expect(await client.types(agent.id)).not.toContain('agent.runtime_lost');
});

test('many Spot interruptions of shims that say nothing are no crash loop', async () => {
  stack.fleet.program = (task) => (task.fence <= 7 ? never() : 'done');
  const task = await client.submit(agent.id, 'x');
  for (let attempt = 1; attempt <= 7; attempt++) {
    await stack.until(async () => (await client.task(task.id)).attempt === attempt, 300, `attempt ${attempt}`);
    const shim = stack.fleet.newest;
    shim.mute = true;
    stack.aws.ecs.interrupt(shim.taskArn);
    shim.die(137);
    await stack.advance(5);
  }
  expect(await client.ended(task.id, 300)).toMatchObject({ status: 'succeeded', attempt: 8, failures: 0 });
  expect(await client.types(agent.id)).not.toContain('agent.failed');
});

test('a retired task is handed back like any other that is told to stop', async () => {
  const task = await runningTask();
  const { taskArn } = stack.fleet.newest;
  stack.aws.ecs.retire(taskArn);
  await goesOn(task.id);
});

test('a launch that nobody was told of any more is sent by the next look, not a minute later', async () => {
  const { ROUSE_WORK_QUEUE_URL: work, ROUSE_LAUNCHES_QUEUE_URL: launches } =
    stack.functionNamed('dispatch').environment;
  let died = false;
  stack.crash = ({ request }) => {
    if (died || !Buffer.from(request.body).includes(launches!)) return undefined;
    died = true;
    return 'before';
  };
  const { id } = await client.submit(agent.id, 'x');
  await stack.until(() => died, 5, 'the death of dispatch');
  expect(await client.agent(agent.id)).toMatchObject({ status: 'starting' });
  // As a restart of the local stack does it.
  stack.aws.sqs.returnInFlight(`arn:aws:sqs:us-east-1:000000000000:${work!.split('/').at(-1)}`);
  expect(await client.ended(id, 20)).toMatchObject({ status: 'succeeded' });
});

test('a task that failed to start, told by an event without any container, is launched again', async () => {
  stack.fleet.onStart = (shim) => stack.fleet.shims.indexOf(shim) > 0;
  const task = await client.submit(agent.id, 'x');
  await stack.until(() => stack.fleet.shims.length === 1, 60, 'the first container');
  const { taskArn, runtimeId, agentId } = stack.fleet.newest;
  await stack.aws.lambda.invoke(
    stack.functionNamed('task-events').arn,
    JSON.stringify({
      'detail-type': 'ECS Task State Change',
      detail: {
        taskArn,
        version: 90,
        lastStatus: 'STOPPED',
        desiredStatus: 'STOPPED',
        stopCode: 'TaskFailedToStart',
        stoppedReason: 'Task failed to start',
        containers: [],
        startedBy: startedBy({ tenant: 'default', agentId, id: runtimeId }),
      },
    }),
  );
  expect(await client.ended(task.id, 60)).toMatchObject({ status: 'succeeded', attempt: 1, failures: 0 });
  expect((await client.event(agent.id, 'agent.launch_failed')).data).toMatchObject({
    reason: expect.stringContaining('Task failed to start'),
  });
});

test('an image that can not be pulled ends in error with the reason, and the queue waits for recover', async () => {
  let isThere = false;
  stack.fleet.onStart = () => {
    if (!isThere) throw new StartFailure('CannotPullContainerError: pull image manifest has been retried 1 time(s)');
    return true;
  };
  const task = await client.submit(agent.id, 'x');
  await client.becomes(agent.id, 'error', 900);
  expect(await client.agent(agent.id)).toMatchObject({
    statusReason: expect.stringMatching(/CannotPullContainerError.*its image could not be pulled: check its name/),
    tasks: { queued: 1 },
  });
  isThere = true;
  await stack.call('POST', `/v1/agents/${agent.id}/recover`, undefined, 202);
  expect(await client.ended(task.id, 120)).toMatchObject({ status: 'succeeded', failures: 0 });
});

test('a network interface that never came is tried again for as long as it takes', async () => {
  let failures = 8;
  stack.fleet.onStart = () => {
    if (failures-- > 0)
      throw new StartFailure('ResourceInitializationError: Timeout waiting for network interface provisioning');
    return true;
  };
  const task = await client.submit(agent.id, 'x');
  expect(await client.ended(task.id, 1200)).toMatchObject({ status: 'succeeded', failures: 0 });
  expect(await client.types(agent.id)).not.toContain('agent.failed');
});

test('a launch that ECS refuses for want of capacity says so while it waits', async () => {
  stack.aws.ecs.launchFailure = () => ({ arn: 'x', reason: 'Capacity is unavailable at this time' });
  const task = await client.submit(agent.id, 'x');
  await stack.until(async () => (await client.types(agent.id)).includes('agent.launch_failed'), 60, 'the refusal');
  expect(await client.agent(agent.id)).toMatchObject({
    statusReason: expect.stringContaining('Capacity is unavailable'),
  });
  await stack.advance(120);
  stack.aws.ecs.launchFailure = undefined;
  expect(await client.ended(task.id, 300)).toMatchObject({ status: 'succeeded', failures: 0 });
});

test('five crashes in ten minutes are an error; recover goes on with the queue', async () => {
  let isBroken = true;
  stack.fleet.program = (_, shim) => {
    if (isBroken) stack.clock.at(stack.clock.now() + 1000, () => shim.die(139));
    return isBroken ? never() : 'done';
  };
  const task = await client.submit(agent.id, 'x');
  await client.becomes(agent.id, 'error', 600);
  expect(await client.agent(agent.id)).toMatchObject({
    statusReason: expect.stringContaining('crashed 5 times in ten minutes'),
    tasks: { queued: 1, running: 0 },
  });
  isBroken = false;
  await stack.call('POST', `/v1/agents/${agent.id}/recover`, undefined, 202);
  expect(await client.ended(task.id, 120)).toMatchObject({ status: 'succeeded', attempt: 6, failures: 0 });
});
