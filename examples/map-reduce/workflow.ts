/** Reads many documents at the same time, puts together what was found, and publishes it when somebody agrees. */

const found = {
  type: 'object',
  required: ['name', 'words', 'frequent'],
  properties: { name: { type: 'string' }, words: { type: 'integer' }, frequent: { type: 'object' } },
};

export const mapReduce = {
  description: 'Map-reduce over documents, with an approval before the end',
  steps: [
    {
      id: 'read',
      agent: '{% $run.input.agent %}',
      forEach: '{% $run.input.documents %}',
      maxConcurrency: 4,
      input: { do: 'read', document: '{% $item %}' },
      output: { type: 'json', schema: found },
      maxAttempts: 2,
      timeoutSeconds: 60,
    },
    {
      id: 'reduce',
      needs: ['read'],
      agent: '{% $run.input.agent %}',
      input: { do: 'reduce', found: '{% $steps.read.output %}' },
      output: { type: 'json' },
    },
    {
      id: 'check',
      needs: ['reduce'],
      approval: {
        prompt:
          "{% 'Publish that ' & $steps.reduce.output.documents & ' documents have ' & $steps.reduce.output.words & ' words?' %}",
        timeoutSeconds: 3600,
        onTimeout: 'reject',
      },
    },
    {
      id: 'publish',
      needs: ['check', 'reduce'],
      when: '{% $steps.check.output.approved %}',
      agent: '{% $run.input.agent %}',
      input: { do: 'publish', summary: '{% $steps.reduce.output %}' },
    },
  ],
  output: { approved: '{% $steps.check.output.approved %}', report: '{% $steps.publish.output %}' },
};
