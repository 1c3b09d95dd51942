/** What the command writes to stdout. */

/** A line. */
export const print = (line: string) => process.stdout.write(`${line}\n`);

/** Columns as wide as what is in them. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = titles.map((_, i) => Math.max(...[titles, ...rows].map((row) => (row[i] as string).length)));
  for (const row of [titles, ...rows]) {
    print(row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd((widths[i] as number) + 2))).join(''));
  }
}

/** A number of bytes, to three digits. */
export function sizeOf(bytes: number): string {
  const units = ['bytes', 'KB', 'MB', 'GB'];
  const power = bytes === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log(bytes) / Math.log(1000)));
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${units[power]}`;
}
