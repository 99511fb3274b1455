import { createReadStream, existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';

import { DurableServer } from './durable-server.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const page = `<!doctype html><title>hosts</title><script type="importmap">
{"imports": {"@ankurah-go/client": "/dist/mod.js", "@preact/signals-core": "/signals.js"}}
</script><script type="module">
import { createClient, defineModel, f } from '@ankurah-go/client';
globalThis.start = options => {
  globalThis.Album = defineModel('album', { name: f.string() });
  globalThis.client = createClient({ name: 'hosts', models: [Album], ...options });
  globalThis.live = client.query(Album, 'ORDER BY name');
};
</script>`;

const files: { readonly [prefix: string]: string } = {
  '/dist/': join(root, 'js/dist/'),
  '/signals.js': join(root, 'js/node_modules/@preact/signals-core/dist/signals-core.mjs'),
};

const types: { readonly [extension: string]: string } = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

/** A durable server, a web server with the built package, and a browser. */
export class Stage {
  readonly browser: Browser;
  /** Where pages are. */
  readonly origin: string;
  /** Where the durable server listens. */
  readonly url: string;
  readonly #web: Server;
  readonly #durable: DurableServer;

  private constructor(browser: Browser, web: Server, durable: DurableServer) {
    this.browser = browser;
    this.#web = web;
    this.origin = `http://localhost:${(web.address() as AddressInfo).port}`;
    this.#durable = durable;
    this.url = durable.url;
  }

  static async open(): Promise<Stage> {
    const durable = await DurableServer.start();
    const web = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://localhost');
      const prefix = Object.keys(files).find(each => pathname.startsWith(each));
      if (prefix === undefined) {
        response.setHeader('content-type', 'text/html');
        response.end(page);
        return;
      }
      const file = files[prefix] + pathname.slice(prefix.length);
      if (!existsSync(file)) {
        response.statusCode = 404;
        response.end();
        return;
      }
      response.setHeader('content-type', types[extname(file)] ?? 'application/octet-stream');
      createReadStream(file).pipe(response);
    });
    await new Promise<void>(resolve => web.listen(0, '127.0.0.1', resolve));
    const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    return new Stage(browser, web, durable);
  }

  async close(): Promise<void> {
    await this.browser.close();
    this.#web.closeAllConnections();
    this.#web.close();
    this.#durable.stop();
  }

  /** Opens a tab with a client in it: `client`, the model `Album` and `live`, all albums. */
  async tab(context: BrowserContext, options: TabOptions = {}): Promise<Page> {
    const tab = await context.newPage();
    await tab.goto(this.origin);
    await tab.evaluate(given => start(given), { url: this.url, ...options });
    return tab;
  }
}

/** What the page defines. */
declare function start(options: TabOptions & { readonly url: string }): void;

/** What a tab's client is opened with, beside name, address and models. */
export interface TabOptions {
  readonly worker?: boolean;
  readonly wasmUrl?: string;
  readonly storage?: 'indexeddb' | 'memory';
  readonly name?: string;
}
