/** The gallery without a network: a service worker keeps what the pages have loaded. It is part of the build alone. */

/** @param root the way to the start page, where the service worker lies */
export function keepOffline(root: string): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  navigator.serviceWorker.register(`${root}service-worker.js`).then(
    async () => {
      const { active } = await navigator.serviceWorker.ready;
      // The first visit has loaded all this before there was a worker to keep it.
      const loaded = performance.getEntriesByType('resource').map(({ name }) => name);
      active?.postMessage([location.href.split(/[?#]/)[0], ...loaded]);
    },
    () => {}, // refused, as in private windows: the page needs it not
  );
}
