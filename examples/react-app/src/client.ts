import { createClient } from '@ankurah-go/client';

import { Album } from './model.ts';
import { serverUrl } from './server-url.ts';

const url = serverUrl({
  configured: import.meta.env.VITE_ANKURAH_URL,
  development: import.meta.env.DEV,
  hostname: location.hostname,
});

export const client = createClient({ name: 'albums', models: [Album], ...(url !== undefined && { url }) });
