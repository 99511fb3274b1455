import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

/**
 * Makes the built app open without a network: adds `service-worker.js`, with the list of all files of the
 * build and a version that changes with any of them. The data needs none of this; it is in IndexedDB.
 */
export function offlineFiles(): Plugin {
  let root = '';
  let publicDir = '';
  return {
    name: 'offline-files',
    apply: 'build',
    enforce: 'post',
    configResolved(config) {
      root = config.root;
      publicDir = config.publicDir;
    },
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const hash = createHash('sha256');
        const files = ['/'];
        for (const file of Object.values(bundle)) {
          if (file.fileName.endsWith('.map')) continue;
          hash.update(file.fileName).update(file.type === 'chunk' ? file.code : file.source);
          if (file.fileName !== 'index.html') files.push(`/${file.fileName}`);
        }
        for (const fileName of readdirSync(publicDir)) {
          hash.update(fileName).update(readFileSync(join(publicDir, fileName)));
          files.push(`/${fileName}`);
        }
        const offline = { version: hash.digest('hex').slice(0, 16), files };
        const worker = readFileSync(join(root, 'service-worker.js'), 'utf8');
        this.emitFile({
          type: 'asset',
          fileName: 'service-worker.js',
          source: `const OFFLINE = ${JSON.stringify(offline)};\n${worker}`,
        });
      },
    },
  };
}
