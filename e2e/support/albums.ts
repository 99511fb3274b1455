import type { BrowserContext, Locator, Page } from 'playwright-core';
import { until } from './until.ts';

/** An album as a page shows it. */
export interface Shown {
  readonly id: string;
  readonly name: string;
  readonly artist: string;
  readonly year: string;
}

/** The example app in one tab, by its test hooks. */
export class Albums {
  readonly page: Page;
  /** What the page, and nobody else, is to blame for. */
  readonly errors: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on('pageerror', error => this.errors.push(String(error)));
  }

  /** Opens the app in a new tab of a context. */
  static async open(context: BrowserContext, url: string): Promise<Albums> {
    const albums = new Albums(await context.newPage());
    await albums.page.goto(url);
    await albums.hook('album-form').waitFor();
    return albums;
  }

  /** Opens the app and waits until it is in step with the server. */
  static async openLive(context: BrowserContext, url: string): Promise<Albums> {
    const albums = await Albums.open(context, url);
    await albums.status('live');
    return albums;
  }

  hook(testId: string): Locator {
    return this.page.getByTestId(testId);
  }

  async add(name: string, artist = 'Muse', year = 2001): Promise<void> {
    await this.hook('album-name').fill(name);
    await this.hook('album-artist').fill(artist);
    await this.hook('album-year').fill(String(year));
    await this.hook('album-add').click();
  }

  /** The row of an album. */
  row(name: string): Locator {
    return this.hook('album-row').filter({ has: this.page.getByTestId('row-name').getByText(name, { exact: true }) });
  }

  /** Edits an album in place. */
  async edit(name: string, fields: { name?: string; artist?: string; year?: number }): Promise<void> {
    const id = await this.row(name).getAttribute('data-id');
    const row = this.page.locator(`[data-testid=album-row][data-id="${id}"]`);
    await row.getByTestId('row-edit').click();
    for (const [field, value] of Object.entries(fields)) await row.getByTestId(`edit-${field}`).fill(String(value));
    await row.getByTestId('row-save').click();
  }

  async remove(name: string): Promise<void> {
    await this.row(name).getByTestId('row-delete').click();
  }

  async filter(text: string): Promise<void> {
    await this.hook('filter').fill(text);
  }

  /** Everything that the list shows now, in order. */
  shown(): Promise<Shown[]> {
    return this.hook('album-row').evaluateAll(rows => {
      return rows.map(row => {
        const text = (hook: string): string => row.querySelector(`[data-testid=${hook}]`)?.textContent ?? '';
        return {
          id: row.getAttribute('data-id') ?? '',
          name: text('row-name'),
          artist: text('row-artist'),
          year: text('row-year'),
        };
      });
    });
  }

  async names(): Promise<string[]> {
    return (await this.shown()).map(({ name }) => name);
  }

  /** Waits until the list shows exactly these albums, in this order. */
  async shows(...names: string[]): Promise<void> {
    let last: string[] = [];
    try {
      await until('', async () => (last = await this.names()).join('\n') === names.join('\n'));
    } catch {
      throw new Error(`the list should show\n${names.join('\n')}\nand shows\n${last.join('\n')}`);
    }
  }

  /** Waits until the banner says so. */
  async status(connection: 'connecting' | 'live' | 'offline'): Promise<void> {
    await until(`status ${connection}`, async () => (await this.hook('status').textContent()) === connection);
  }

  /** Waits until so many changes wait for the server. */
  async pending(count: number): Promise<void> {
    await until(`${count} pending`, async () => (await this.hook('pending').textContent()) === String(count));
  }

  /** Waits until the files of the app are kept for a reload without a network. */
  async keepsFiles(): Promise<void> {
    await this.page.evaluate(async () => void (await navigator.serviceWorker.ready));
  }
}

/** Waits until all show the same, and returns it. */
export function agree(...all: Albums[]): Promise<Shown[]> {
  return until('all show the same', async () => {
    const [first, ...others] = await Promise.all(all.map(albums => albums.shown()));
    const text = JSON.stringify(first);
    return others.every(other => JSON.stringify(other) === text) && first;
  });
}
