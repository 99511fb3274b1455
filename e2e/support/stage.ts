import { afterAll, afterEach, beforeAll, expect, inject } from 'vitest';
import type { Browser, BrowserContext } from 'playwright-core';
import { Albums } from './albums.ts';
import type { Built } from './build.ts';
import { launchChromium } from './chromium.ts';
import { Server } from './server.ts';
import { Wire } from './wire.ts';

/** What a test plays on. Whatever it opens here is closed after the test. */
export interface Stage {
  readonly browser: Browser;
  readonly built: Built;
  /** Starts a durable server with new data. */
  server(...args: string[]): Promise<Server>;
  /** Starts the server that refuses albums named "forbidden". */
  policyServer(): Promise<Server>;
  /** Puts a network between browsers and a server. */
  wire(server: Server): Promise<Wire>;
  /** Opens a browser of its own: other storage, other workers. */
  context(): Promise<BrowserContext>;
  /** Opens the app in a browser of its own and waits until it is in step. */
  browserAt(url: string): Promise<Albums>;
}

/** Sets the stage for the tests of a file: one Chromium for all of them. */
export function setStage(): Stage {
  let browser: Browser | undefined;
  const opened: (() => Promise<unknown>)[] = [];
  const errors: string[][] = [];
  const built = inject('built');

  function keep<T>(thing: T, close: () => Promise<unknown>): T {
    opened.push(close);
    return thing;
  }

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    for (const close of opened.splice(0).toReversed()) await close();
    expect(errors.splice(0).flat()).toEqual([]); // no page had an unhandled error, whatever the test did
  });

  const stage: Stage = {
    built,
    get browser() {
      if (browser === undefined) throw new Error('Chromium is started before the tests');
      return browser;
    },
    async server(...args) {
      const server = await Server.start(built, ...args);
      return keep(server, () => server.remove());
    },
    async policyServer() {
      const server = await Server.startPolicy(built);
      return keep(server, () => server.remove());
    },
    async wire(server) {
      const wire = await Wire.to(server.port);
      return keep(wire, () => wire.remove());
    },
    async context() {
      const context = await stage.browser.newContext();
      context.on('page', page => {
        const ofPage: string[] = [];
        errors.push(ofPage);
        page.on('pageerror', error => ofPage.push(String(error)));
      });
      return keep(context, () => context.close());
    },
    async browserAt(url) {
      return Albums.openLive(await stage.context(), url);
    },
  };
  return stage;
}
