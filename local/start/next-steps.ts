import type { LocalStack } from './local-file.ts';

/** What to do with a stack that has just started: commands to paste, with the real values. */
export function nextSteps({ apiUrl, apiKey, awsEndpointUrl }: LocalStack): string {
  const authorization = `-H 'Authorization: Bearer ${apiKey}'`;
  const json = `-H 'Content-Type: application/json'`;
  return `
Rouse is ready.

  API      ${apiUrl}
  API key  ${apiKey}
  AWS      ${awsEndpointUrl} (embedded; AWS_ENDPOINT_URL for the AWS CLI, any credentials named "local")

1. A template: what an agent is made from. This one counts words.

   curl -sS -X PUT ${apiUrl}/v1/templates/words ${authorization} ${json} \\
     -d '{"driver": {"type": "command", "command": ["wc", "-w"]}}'

2. An agent made from it.

   AGENT=$(curl -sS -X POST ${apiUrl}/v1/agents ${authorization} ${json} \\
     -d '{"template": "words"}' | node -p 'JSON.parse(fs.readFileSync(0)).id') && echo $AGENT

3. A task for it, and its answer as soon as it is there.

   TASK=$(curl -sS -X POST ${apiUrl}/v1/agents/$AGENT/tasks ${authorization} ${json} \\
     -d '{"input": "how many words are these"}' | node -p 'JSON.parse(fs.readFileSync(0)).id') && \\
   curl -sS "${apiUrl}/v1/tasks/$TASK?waitSeconds=25" ${authorization} \\
     | node -p 'JSON.parse(fs.readFileSync(0)).output'

Or watch a longer story in another terminal: npm run demo

Ctrl-C ends everything.
`;
}
