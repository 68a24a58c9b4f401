/** What answers at an endpoint: `AWS`, `MiniStack`, `LocalStack`, or the host for a server that doesn't say. */
export async function backendAt(endpoint: string): Promise<string> {
  if (endpoint === 'aws') return 'AWS';
  for (const [name, path] of [
    ['MiniStack', '/_ministack/health'],
    ['LocalStack', '/_localstack/health'],
  ] as const) {
    const answer = await fetch(new URL(path, endpoint)).catch(() => undefined);
    if (!answer)
      throw new Error(`Nothing answers at ROUSE_CONTRACT_ENDPOINT "${endpoint}". Start the server, or give "aws".`);
    if (answer.ok && (await answer.json().catch(() => undefined))) return name;
  }
  return new URL(endpoint).host;
}
