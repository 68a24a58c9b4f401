/** One agent measures and keeps the history, the next one gets its file and writes the report. */
export function nightlyReport(collector: string, writer: string) {
  return {
    description: 'Measures, and writes a report of it',
    steps: [
      {
        id: 'collect',
        agent: collector,
        input: { day: '{% $run.input.day %}' },
        output: { type: 'json' },
        exports: ['numbers/*.csv'],
      },
      {
        id: 'write',
        needs: ['collect'],
        agent: writer,
        input: {
          day: '{% $run.input.day %}',
          used: '{% $steps.collect.output.used %}',
          before: '{% $run.input.before %}',
        },
        output: { type: 'json', schema: { type: 'object', required: ['used', 'nights', 'report'] } },
      },
    ],
    output: '{% $steps.write.output %}',
  };
}

/** Every night at two, in the time of Berlin. What the last report said is handed to the next one. */
export const everyNight = {
  expression: 'cron(0 2 * * ? *)',
  timezone: 'Europe/Berlin',
  overlap: 'buffer_one',
  pauseOnFailure: true,
  target: {
    workflow: 'nightly-report',
    input: { day: '{% $fire.scheduledTime %}', before: '{% $fire.lastOutput.used ?? null %}' },
  },
};
