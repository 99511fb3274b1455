import type { BrowserContext, Locator, Page } from 'playwright-core';
import { until } from './until.ts';

/** An album as a page shows it. */
export interface Shown {
  readonly id: string;
  readonly name: string;
  readonly artist: string;
  readonly year: string;
}

/** An album and where it is, in pixels from the upper edge of the list's frame. */
export interface Placed extends Shown {
  readonly y: number;
}

/** What is in sight of a long list. */
export interface View {
  /** How far the list is scrolled, and how high it is, in pixels. */
  readonly top: number;
  readonly height: number;
  /** The rows in sight, without an id while they are on their way; those that are drawn above them. */
  readonly rows: readonly Placed[];
  readonly above: readonly Placed[];
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

  /** Looks for part of a name or an artist. */
  async search(words: string): Promise<void> {
    await this.hook('search').fill(words);
  }

  /** Looks for albums of some years; an empty text is for any. */
  async years(from: number | '', to: number | ''): Promise<void> {
    await this.hook('year-from').fill(String(from));
    await this.hook('year-to').fill(String(to));
  }

  /** Sorts by a column; by the one that it is sorted by, the other way round. */
  async sort(key: 'name' | 'artist' | 'year'): Promise<void> {
    await this.hook(`sort-${key}`).click();
  }

  /** Scrolls the list to a distance from its top, in pixels. */
  async scrollTo(top: number): Promise<void> {
    await this.hook('albums').evaluate((scroller, to) => scroller.scrollTo({ top: to }), top);
  }

  /** What is in sight of the list. */
  view(): Promise<View> {
    return this.hook('albums').evaluate(scroller => {
      const frame = scroller.getBoundingClientRect();
      const text = (row: Element, hook: string): string => row.querySelector(`[data-testid=${hook}]`)?.textContent ?? '';
      const placed = [...scroller.querySelectorAll('li')].map(row => ({ row, y: row.getBoundingClientRect().top - frame.top }));
      placed.sort((a, b) => a.y - b.y);
      const rows = placed.map(({ row, y }) => ({
        id: row.getAttribute('data-id') ?? '',
        name: text(row, 'row-name'),
        artist: text(row, 'row-artist'),
        year: text(row, 'row-year'),
        y,
      }));
      return {
        top: scroller.scrollTop,
        height: scroller.scrollHeight,
        rows: rows.filter(({ y }) => y >= 0 && y < frame.height),
        above: rows.filter(({ y }) => y < 0),
      };
    });
  }

  /** Waits until every row in sight is there, and returns them. */
  wholeView(): Promise<View> {
    return until('the rows in sight are there', async () => {
      const view = await this.view();
      return view.rows.length > 0 && view.rows.every(({ id }) => id !== '') && view;
    });
  }

  /** Everything that is shown now of the list, in order. */
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

  /** Waits until the list says that it has so many albums. */
  async counts(count: number): Promise<void> {
    const text = count.toLocaleString('en');
    await until(`${text} albums`, async () => (await this.hook('count').textContent()) === text);
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
