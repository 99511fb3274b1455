import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { chromiumArguments, chromiumPath } from './chromium.ts';
import { until } from './until.ts';

/** A Chromium with a profile on disk, whose processes can be killed, and which can be started again over the same profile. */
export class MortalChromium {
  readonly #profile = mkdtempSync(join(tmpdir(), 'ankurah-profile-'));
  #process: ChildProcess | undefined;
  #browser: Browser | undefined;

  /** Opens a page, and starts the browser first if it does not run. */
  async page(url: string): Promise<Page> {
    const browser = await this.#running();
    const [context] = browser.contexts();
    if (context === undefined) throw new Error('a profile has a context');
    const page = await context.newPage();
    await page.goto(url);
    return page;
  }

  /** Opens a page with storage of its own. */
  async pageElsewhere(url: string): Promise<Page> {
    const page = await (await this.#running()).newPage();
    await page.goto(url);
    return page;
  }

  /** Kills all renderers, in which pages and workers run, as the system does when memory runs out. */
  async killRenderers(): Promise<void> {
    const browser = await this.#running();
    const session = await browser.newBrowserCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    for (const { type, id } of processInfo) {
      if (type === 'renderer') killNow(id);
    }
    await session.detach();
    for (const page of browser.contexts().flatMap(context => context.pages())) await page.close().catch(() => {});
  }

  /** Kills the whole browser, with all its processes. */
  async kill(): Promise<void> {
    const child = this.#process;
    const browser = this.#browser;
    this.#process = this.#browser = undefined;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const exit = once(child, 'exit');
      if (child.pid !== undefined) killNow(-child.pid); // its group, which is its own
      await exit;
    }
    await browser?.close().catch(() => {});
  }

  async remove(): Promise<void> {
    await this.kill();
    // The system takes a moment to end what was killed.
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  async #running(): Promise<Browser> {
    if (this.#browser !== undefined) return this.#browser;
    const portFile = join(this.#profile, 'DevToolsActivePort');
    rmSync(portFile, { force: true });
    const args = [...chromiumArguments, '--remote-debugging-port=0', `--user-data-dir=${this.#profile}`, 'about:blank'];
    const child = spawn(chromiumPath, args, { stdio: 'ignore', detached: true });
    this.#process = child;
    const [port, path] = await until('Chromium can be reached', () => {
      if (child.exitCode !== null) throw new Error(`Chromium ended with ${child.exitCode}`);
      try {
        const lines = readFileSync(portFile, 'utf8').split('\n');
        return lines.length > 1 && lines;
      } catch {
        return undefined;
      }
    });
    return (this.#browser = await chromium.connectOverCDP(`ws://127.0.0.1:${port}${path}`));
  }
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
