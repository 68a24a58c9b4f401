import { describe, expect, it } from 'vitest';
import { nextFire, parseScheduleExpression } from '../../local/schedule-expression.ts';

/** The next fires after a time, as ISO strings in UTC. */
function fires(expression: string, after: string, count = 1, timezone = 'UTC') {
  const found: string[] = [];
  let at: number | undefined = Date.parse(after);
  for (let index = 0; index < count; index++) {
    at = nextFire(expression, timezone, at);
    if (at === undefined) break;
    found.push(new Date(at).toISOString().slice(0, 16));
  }
  return found;
}

describe('cron', () => {
  const monday = '2027-01-04T08:00:00Z';
  const cases: [string, string[]][] = [
    ['0 9 * * ? *', ['2027-01-04T09:00', '2027-01-05T09:00']],
    ['0/15 8 * * ? *', ['2027-01-04T08:15', '2027-01-04T08:30']],
    ['*/25 * * * ? *', ['2027-01-04T08:25', '2027-01-04T08:50', '2027-01-04T09:00']],
    ['10,20-22 8 ? * * *', ['2027-01-04T08:10', '2027-01-04T08:20', '2027-01-04T08:21']],
    [
      '0 8 ? * MON-FRI *',
      ['2027-01-05T08:00', '2027-01-06T08:00', '2027-01-07T08:00', '2027-01-08T08:00', '2027-01-11T08:00'],
    ],
    ['0 8 ? * 1,7 *', ['2027-01-09T08:00', '2027-01-10T08:00']],
    ['0 8 ? * fri-mon *', ['2027-01-08T08:00', '2027-01-09T08:00', '2027-01-10T08:00', '2027-01-11T08:00']],
    ['0 0 L * ? *', ['2027-01-31T00:00', '2027-02-28T00:00']],
    ['0 0 L FEB ? 2028', ['2028-02-29T00:00']],
    ['0 0 31 * ? *', ['2027-01-31T00:00', '2027-03-31T00:00']],
    // The 1st of May 2027 is a Saturday, the 31st of January a Sunday.
    ['0 0 1W MAY ? *', ['2027-05-03T00:00']],
    ['0 0 31W JAN ? *', ['2027-01-29T00:00']],
    ['0 0 16W JAN ? *', ['2027-01-15T00:00']],
    ['0 0 ? * 2#1 *', ['2027-02-01T00:00']],
    ['0 0 ? * FRI#5 *', ['2027-01-29T00:00', '2027-04-30T00:00']],
    ['0 0 ? * 6L *', ['2027-01-29T00:00', '2027-02-26T00:00']],
    ['0 0 ? * L *', ['2027-01-09T00:00']],
    ['0 0 29 2 ? 2027-2199/4', []],
    ['0 0 1 JAN ? 2026', []],
    ['0 0 1 1/3 ? *', ['2027-04-01T00:00', '2027-07-01T00:00']],
  ];

  it.each(cases)('(%s) fires at %j', (fields, expected) => {
    expect(fires(`cron(${fields})`, monday, expected.length || 1)).toEqual(expected);
  });

  it.each([
    '0 9 * * * *',
    '0 9 ? * ? *',
    '60 9 * * ? *',
    '0 24 * * ? *',
    '0 9 0 * ? *',
    '0 9 32 * ? *',
    '0 9 * 13 ? *',
    '0 9 ? * 8 *',
    '0 9 * * ?',
    '0 9 * * ? * *',
    '0 9 ? * MON#6 *',
    '*/0 9 * * ? *',
    '0 9 ? * 3#1,6#3 *',
    'a 9 * * ? *',
    '0 9 W * ? *',
    '0 9 * * ? 1969',
  ])('(%s) is refused', (fields) => {
    expect(() => parseScheduleExpression(`cron(${fields})`)).toThrow('Invalid Schedule Expression');
  });

  it('follows the clocks of its time zone', () => {
    expect(fires('cron(0 9 ? * SAT,SUN,MON *)', '2027-03-27T00:00:00Z', 3, 'Europe/Berlin')).toEqual([
      '2027-03-27T08:00',
      '2027-03-28T07:00',
      '2027-03-29T07:00',
    ]);
  });

  it('skips times that the clocks skip in spring', () => {
    expect(fires('cron(30 2 * * ? *)', '2027-03-27T12:00:00Z', 2, 'Europe/Berlin')).toEqual([
      '2027-03-29T00:30',
      '2027-03-30T00:30',
    ]);
  });

  it('fires once at times that come twice in autumn', () => {
    expect(fires('cron(30 2 * * ? *)', '2027-10-30T12:00:00Z', 2, 'Europe/Berlin')).toEqual([
      '2027-10-31T00:30',
      '2027-11-01T01:30',
    ]);
    expect(fires('cron(0/30 * * * ? *)', '2027-11-07T05:00:00Z', 4, 'America/New_York')).toEqual([
      '2027-11-07T05:30',
      '2027-11-07T07:00',
      '2027-11-07T07:30',
      '2027-11-07T08:00',
    ]);
  });
});

describe('rate', () => {
  it('fires at its start and at each multiple of its period', () => {
    const startMs = Date.UTC(2027, 0, 4, 8, 0, 30);
    const next = (afterMs: number) => nextFire('rate(5 minutes)', 'UTC', afterMs, startMs)! - startMs;
    expect(next(startMs - 1)).toBe(0);
    expect(next(startMs)).toBe(300_000);
    expect(next(startMs + 299_999)).toBe(300_000);
    expect(next(startMs + 300_000)).toBe(600_000);
  });

  it.each(['rate(0 minutes)', 'rate(5 seconds)', 'rate(1.5 hours)', 'rate(minute)', 'every(5 minutes)'])(
    '%s is refused',
    (expression) => {
      expect(() => parseScheduleExpression(expression)).toThrow('Invalid Schedule Expression');
    },
  );
});

describe('at', () => {
  it('fires once, at a time of its time zone', () => {
    expect(fires('at(2027-07-01T09:00:00)', '2027-01-01T00:00:00Z', 2, 'Europe/Berlin')).toEqual(['2027-07-01T07:00']);
  });

  it('never fires at a time that the clocks skip', () => {
    expect(fires('at(2027-03-28T02:30:00)', '2027-01-01T00:00:00Z', 1, 'Europe/Berlin')).toEqual([]);
  });

  it.each(['at(2027-02-30T00:00:00)', 'at(2027-01-01)', 'at(2027-01-01T00:00:00Z)'])('%s is refused', (expression) => {
    expect(() => parseScheduleExpression(expression)).toThrow('Invalid Schedule Expression');
  });

  it('needs a time zone by its name', () => {
    expect(() => nextFire('cron(0 9 * * ? *)', 'Mars/Olympus', 0)).toThrow('time zone Mars/Olympus is not valid');
  });
});
