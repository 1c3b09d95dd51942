/**
 * Work that a slider or a pointer asks for faster than it is done: it runs once at a time, and after what it missed once
 * more, so that the last wish is always served.
 */
export function latest(work: () => Promise<void>): () => Promise<void> {
  let wanted = false;
  let running: Promise<void> | undefined;
  async function run(): Promise<void> {
    while (wanted) {
      wanted = false;
      await work();
    }
  }
  return () => {
    wanted = true;
    running ??= run().finally(() => {
      running = undefined;
    });
    return running;
  };
}
