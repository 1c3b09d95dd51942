/** What pages show to the browser's console, and to tests. */

/** For the browser's console, and for tests: what a page has made. */
export function expose(things: Record<string, unknown>): void {
  const { gallery = {} } = globalThis as { gallery?: Record<string, unknown> };
  Object.assign(globalThis, { gallery: Object.assign(gallery, things) });
}
