/**
 * Keeps the gallery for use without a network. Pages and the documentation come from the network where there is one, so that they are
 * new; assets of the gallery, whose names change with their content, come from what is kept.
 */
const CACHE = `gallery-${'VERSION'}`;
const FILES = ['FILES'];

const keep = async (addresses) => {
  const cache = await caches.open(CACHE);
  // One by one: what cannot be loaded shall not keep the others away.
  await Promise.all(
    addresses.map(async (address) => {
      if (!(await cache.match(address))) await cache.add(address).catch(() => {});
    }),
  );
};

self.addEventListener('install', (event) => {
  self.skipWaiting();
  event.waitUntil(keep(FILES.map((file) => new URL(file, self.registration.scope).href)));
});

self.addEventListener('activate', (event) => {
  const removeOld = async () => {
    const names = await caches.keys();
    const old = names.filter((name) => name.startsWith('gallery-') && name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(removeOld());
});

/** A page tells what it has loaded before this worker was there. */
self.addEventListener('message', (event) => {
  const own = event.data.filter((address) => address.startsWith(self.registration.scope));
  const kept = keep(own).then(() => event.source.postMessage('kept'));
  event.waitUntil(kept);
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || !request.url.startsWith(self.registration.scope)) return;
  const isOfDocs = request.url.startsWith(`${self.registration.scope}docs/`);
  event.respondWith(request.mode === 'navigate' || isOfDocs ? newest(request) : assetOf(request));
});

async function newest(request) {
  // Settings are part of the address, and not of the page; a folder means its index.html.
  const address = request.url.split(/[?#]/)[0].replace(/\/$/, '/index.html');
  try {
    const response = await fetch(request);
    if (response.ok) (await caches.open(CACHE)).put(address, response.clone());
    return response;
  } catch (error) {
    const kept = await caches.match(address);
    if (!kept) throw error;
    return kept;
  }
}

async function assetOf(request) {
  const kept = await caches.match(request);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok && response.status !== 206) (await caches.open(CACHE)).put(request, response.clone());
  return response;
}
