import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

import { offlineFiles } from './offline-files.ts';

export default defineConfig({
  plugins: [react(), offlineFiles()],
  server: { host: 'localhost', port: 5173, strictPort: true },
});
