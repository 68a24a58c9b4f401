/**
 * One agent writes, the other reviews; while there are findings they change places. A workflow has no loops: it runs
 * itself as a part, up to eight deep, and each round is a run of its own to look at.
 */
export const reviewEachOther = {
  description: 'Two agents review each other until neither finds anything',
  steps: [
    {
      id: 'write',
      agent: '{% $run.input.author %}',
      input: { do: 'write', text: '{% $run.input.text %}', findings: '{% $run.input.findings %}' },
      output: { type: 'json', schema: { type: 'object', required: ['text'] } },
    },
    {
      id: 'review',
      needs: ['write'],
      agent: '{% $run.input.reviewer %}',
      input: { do: 'review', text: '{% $steps.write.output.text %}' },
      output: { type: 'json', schema: { type: 'object', required: ['findings'] } },
    },
    {
      id: 'again',
      needs: ['write', 'review'],
      when: '{% $count($steps.review.output.findings) > 0 and $run.input.round < 8 %}',
      workflow: 'review-each-other',
      input: {
        author: '{% $run.input.reviewer %}',
        reviewer: '{% $run.input.author %}',
        text: '{% $steps.write.output.text %}',
        findings: '{% $steps.review.output.findings %}',
        round: '{% $run.input.round + 1 %}',
      },
    },
  ],
  output:
    "{% $steps.again.status = 'succeeded' ? $steps.again.output : {'text': $steps.write.output.text, 'rounds': $run.input.round, 'findings': $steps.review.output.findings} %}",
};
