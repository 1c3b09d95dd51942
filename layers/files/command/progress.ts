/** How far the work is, on a terminal, for work that takes a while. */

const WIDTH = 30;
/** Work that is done sooner has no bar. */
const PATIENCE_MS = 500;

/** Shows a bar with a title on stderr; nothing where that is no terminal. `done` takes it away. */
export function progress(title: string): { report(fraction: number): void; done(): void } {
  const { stderr } = process;
  const start = Date.now();
  let shown = '';
  return {
    report(fraction) {
      if (!stderr.isTTY || Date.now() - start < PATIENCE_MS) return;
      const filled = Math.round(WIDTH * Math.min(1, fraction));
      const line = `${title} [${'#'.repeat(filled)}${' '.repeat(WIDTH - filled)}] ${Math.floor(100 * fraction)}%`;
      if (line !== shown) stderr.write(`\r${line}`);
      shown = line;
    },
    done() {
      if (shown !== '') stderr.write(`\r${' '.repeat(shown.length)}\r`);
      shown = '';
    },
  };
}
