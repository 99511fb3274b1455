import { AnkurahProvider } from '@ankurah-go/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { App } from './app.tsx';
import { client } from './client.ts';

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no #root');

createRoot(root).render(
  <StrictMode>
    <AnkurahProvider client={client}>
      <App />
    </AnkurahProvider>
  </StrictMode>,
);

// The built app can be reloaded offline, because a service worker keeps its files; see offline-files.ts.
// A browser that refuses to (in a private window, say) needs the network for a reload, as for any page.
if (import.meta.env.PROD && 'serviceWorker' in navigator) {
  navigator.serviceWorker.register('/service-worker.js').catch(() => undefined);
}
