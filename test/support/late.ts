/**
 * What a page does after a click, and not at once, makes a test that does not wait for it fail on a busy machine alone.
 * `LATE=250 npx jest --selectProjects gallery` makes it fail on every machine: frames, timers and files come so many milliseconds later.
 */
import type { Page } from 'playwright-core';

/** For a page that has not been opened yet. */
export async function makeLate(page: Page): Promise<void> {
  if (process.env.LATE) await page.addInitScript(delay, Number(process.env.LATE));
}

/** Runs in the page before its scripts. A training, which waits for a frame at each step, goes on as fast as ever. */
function delay(milliseconds: number): void {
  const { requestAnimationFrame, setTimeout, fetch } = globalThis;
  const { decode } = HTMLImageElement.prototype;
  const delayed = () => (document.querySelector('.task[data-state=running]') ? 0 : milliseconds);
  const wait = () => new Promise((resolve) => setTimeout(resolve, delayed()));
  globalThis.requestAnimationFrame = (draw) => setTimeout(() => requestAnimationFrame(draw), delayed()) as never;
  globalThis.setTimeout = ((work: () => void, after = 0, ...values: unknown[]) =>
    setTimeout(work, after + delayed(), ...values)) as typeof setTimeout;
  globalThis.fetch = (...request) => wait().then(() => fetch(...request));
  HTMLImageElement.prototype.decode = function (this: HTMLImageElement) {
    return wait().then(() => decode.call(this));
  };
}
