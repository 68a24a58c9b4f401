import type { WireRequest } from '../../local/service.ts';
import type { World } from './world.ts';

/**
 * Bugs, put into the product from outside: whoever changes the simulation sees by them whether it still finds any.
 */
const sabotages: Record<string, (world: World) => void> = {
  /** Every conditional write succeeds, whatever others have written meanwhile. */
  'unconditional-writes': (world) => {
    world.stack.meanwhile = async ({ request }) => weaken(request);
  },
  /** Now and then a batch of the stream reaches nobody. */
  'lost-records': (world) => {
    const random = world.random.fork('sabotage');
    world.stack.aws.faults.addDelivery(({ source }) =>
      source === 'stream' && random.chance(0.02) ? { copies: 0 } : undefined,
    );
  },
  /** The sweep never comes, so that what was lost stays so. */
  'no-sweep': (world) => {
    world.stack.aws.faults.addDelivery(({ source, target }) =>
      source === 'scheduler' && target.includes('Sweep') ? { copies: 0 } : undefined,
    );
  },
};

export const sabotageNames: readonly string[] = Object.keys(sabotages);

/** Makes the product wrong in the way that the plan says. */
export function sabotage(world: World): void {
  const { sabotage: name } = world.plan;
  if (name === undefined) return;
  const install = sabotages[name];
  if (!install) throw new Error(`Received the sabotage ${name}; ${sabotageNames.join(', ')} are allowed.`);
  install(world);
}

/** The names and values of a condition have to be used still. */
function weaken(request: WireRequest): void {
  const operation = request.headers['x-amz-target']?.split('.')[1];
  if (operation !== 'UpdateItem' && operation !== 'PutItem') return;
  const input = JSON.parse(Buffer.from(request.body).toString());
  if (input.ConditionExpression === undefined) return;
  input.ConditionExpression = `(${input.ConditionExpression}) OR attribute_exists(pk) OR attribute_not_exists(pk)`;
  request.body = Buffer.from(JSON.stringify(input));
}
