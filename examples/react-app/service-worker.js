// Keeps the files of one version of the app, so that it opens without a network. The build puts
// `const OFFLINE = { version, files }` in front (offline-files.ts).

const PREFIX = 'albums-files-';
const CACHE = PREFIX + OFFLINE.version;

self.addEventListener('install', event => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then(cache => cache.addAll(OFFLINE.files))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener('activate', event => {
  event.waitUntil(removeOtherVersions().then(() => self.clients.claim()));
});

self.addEventListener('fetch', event => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (request.mode === 'navigate') event.respondWith(newestPage(request));
  else if (OFFLINE.files.includes(url.pathname)) event.respondWith(keptFile(request));
});

/** The page from the network, so that a new version is seen at once; without one, the page that is kept. */
async function newestPage(request) {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match('/', { cacheName: CACHE })) ?? Response.error();
  }
}

/** Files have their content's hash in their names: what is kept is what the network would give. */
async function keptFile(request) {
  return (await caches.match(request, { cacheName: CACHE, ignoreSearch: true })) ?? fetch(request);
}

async function removeOtherVersions() {
  const names = await caches.keys();
  const old = names.filter(name => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(old.map(name => caches.delete(name)));
}
