import { expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { type FunctionCall, TestStack } from '../support/stack.ts';

/** Within this time the task has ended, whatever happened. */
const boundSeconds = 400;
/** After this the pool is full and nothing else is left: the longest wait is for a task that ECS never showed. */
const cleanSeconds = 1500;
/** Who takes part in a takeover and the refill; the others do what they do at any wake. */
const functions = ['dispatch', 'runtime', 'launch'];

interface CallSite {
  name: string;
  occurrence: number;
}

const nameOf = ({ function: name, request }: FunctionCall) =>
  `${name} ${request.headers['x-amz-target']?.split('.')[1] ?? request.method}`;

/** A wake from a pool of one, again and again, with the process of a function dying at one of its AWS calls. */
class WarmWakes {
  private readonly stack: TestStack;
  private readonly client: Client;
  /** How often a function has died. */
  deaths = 0;

  static async start(): Promise<WarmWakes> {
    const stack = await TestStack.start();
    const client = new Client(stack);
    await client.putTemplate('warm', { warmPool: 1, idleTimeoutSeconds: 5 });
    const wakes = new WarmWakes(stack, client);
    await wakes.full();
    return wakes;
  }

  private constructor(stack: TestStack, client: Client) {
    this.stack = stack;
    this.client = client;
  }

  close(): Promise<void> {
    return this.stack.close();
  }

  /** Every call that the functions make for one wake, from the work's arrival to the full pool. */
  async callSites(): Promise<CallSite[]> {
    await this.wake();
    const sites: CallSite[] = [];
    const counts = new Map<string, number>();
    this.stack.crash = (call) => {
      const name = nameOf(call);
      const occurrence = (counts.get(name) ?? 0) + 1;
      counts.set(name, occurrence);
      if (functions.includes(call.function)) sites.push({ name, occurrence });
      return undefined;
    };
    await this.wake();
    return sites;
  }

  /** @returns what went wrong, or undefined */
  async crashAt(site: CallSite, fate: 'before' | 'after'): Promise<string | undefined> {
    let seen = 0;
    let died = false;
    this.stack.crash = (call) => {
      if (died || nameOf(call) !== site.name || ++seen !== site.occurrence) return undefined;
      died = true;
      this.deaths += 1;
      return fate;
    };
    try {
      await this.wake();
      return undefined;
    } catch (error) {
      return `${fate} ${site.name} #${site.occurrence}: ${error instanceof Error ? error.message.split('\n')[0] : error}`;
    }
  }

  private async wake(): Promise<void> {
    const { stack, client } = this;
    const agent = await client.createAgent('warm');
    const task = await client.submit(agent.id, 'hello');
    await client.reaches(task.id, 'succeeded', boundSeconds);
    await client.becomes(agent.id, 'paused', boundSeconds);
    await this.full();
    stack.crash = undefined;
    const types = (await client.events(agent.id)).filter(({ taskId }) => taskId === task.id).map(({ type }) => type);
    expect(types.filter((type) => type === 'task.succeeded')).toHaveLength(1);
  }

  /** One standby, its bell, and nothing else. */
  private async full(): Promise<void> {
    const { stack } = this;
    const isFull = async () => {
      const { living } = stack.fleet;
      return living.length === 1 && living[0]!.isWaiting && (await stack.bells()).length === 1;
    };
    for (let waited = 0; waited < cleanSeconds; waited += 15) {
      if (await isFull()) return;
      await stack.advance(15);
    }
    throw new Error(`${stack.fleet.living.length} containers and ${(await stack.bells()).length} bells are left.`);
  }
}

test.each(['before', 'after'] as const)(
  'a wake from the pool ends well, %s whichever AWS call a function dies',
  async (fate) => {
    const wakes = await WarmWakes.start();
    try {
      const sites = await wakes.callSites();
      expect(sites.length).toBeGreaterThan(30);
      const failures: string[] = [];
      // A read has no effect: dying after it is dying before what follows.
      const isRead = ({ name }: CallSite) => /Get|Query/.test(name);
      for (const site of sites.filter((site) => fate === 'before' || !isRead(site))) {
        const failure = await wakes.crashAt(site, fate);
        if (failure) failures.push(failure);
      }
      expect(failures).toEqual([]);
      expect(wakes.deaths).toBeGreaterThan(fate === 'before' ? 30 : 15);
    } finally {
      await wakes.close();
    }
  },
  300_000,
);
