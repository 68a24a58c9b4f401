import type { World } from './world.ts';

/** What is done by a presigned URL: the answer, or undefined when there was none. */
async function ask(world: World, method: string, url: string, headers: Record<string, string>, body: Uint8Array) {
  const { pathname: path, search, host, searchParams } = new URL(url);
  const request = { method, path, query: Object.fromEntries(searchParams), rawQuery: search.slice(1) };
  return world.stack.aws.handle({ ...request, headers: { ...headers, host }, body }).catch(() => undefined);
}

/** Downloads JSON. @returns undefined when it could not be had */
export async function download(world: World, url: string): Promise<{ value: unknown } | undefined> {
  for (let tries = 0; tries < 20; tries++) {
    const answer = await ask(world, 'GET', url, {}, new Uint8Array());
    if (answer?.status === 200) return { value: JSON.parse(Buffer.from(answer.body).toString()) };
    if (answer?.status === 404) return undefined;
    await world.sleep(1000);
  }
  return undefined;
}

/** Uploads once; whether that came through is not asked. */
export async function put(world: World, url: string, body: Uint8Array, headers: Record<string, string>): Promise<void> {
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  await ask(world, 'PUT', url, lower, body);
}
