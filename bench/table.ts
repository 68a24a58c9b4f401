/** Rows of cells, padded to their columns: the first column to the left, the others to the right. The first row is the heading. */
export function table(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: string[]) =>
    cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)));
  const rule = widths.map((width) => '-'.repeat(width));
  const [heading = [], ...body] = rows.map(line);
  return [heading, rule, ...body].map((cells) => `  ${cells.join('  ').trimEnd()}`).join('\n');
}

/** Nothing is shown as a dash, so that what is there stands out. */
export function number(value: number, digits: number): string {
  return Math.abs(value) < 0.5 / 10 ** digits ? '-' : value.toFixed(digits);
}
