import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const js = fileURLToPath(new URL('../../js/', import.meta.url));

/** Makes a folder to serve: a page that runs `script`, a module that may import `./client/mod.js`. */
export function clientSite(script: string): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'ankurah-site-'));
  const client = join(folder, 'client');
  cpSync(join(js, 'dist'), client, { recursive: true });
  const signals = createRequire(join(js, 'package.json')).resolve('@preact/signals-core');
  cpSync(signals.replace(/\.js$/, '.mjs'), join(client, 'signals-core.js'));
  for (const name of readdirSync(client)) {
    if (!name.endsWith('.js')) continue;
    const path = join(client, name);
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll("'@preact/signals-core'", "'./signals-core.js'"));
  }
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>client</title><script type="module" src="/main.js"></script>');
  writeFileSync(join(folder, 'main.js'), script);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
