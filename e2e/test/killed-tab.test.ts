import { expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { clientSite } from '../support/client-site.ts';
import { MortalChromium } from '../support/mortal-chromium.ts';
import { Server } from '../support/server.ts';
import { setStage } from '../support/stage.ts';

const stage = setStage();

/** How often a browser is killed; KILLS=100 for more. */
const kills = Number(process.env['KILLS'] ?? 10);

/** A stream of commits: number n makes 1 + n % 5 notes, which say how many they are, and marks those of n - 1 as followed. */
const SCRIPT = `
import { createClient, defineModel, f } from './client/mod.js';

const Note = defineModel('note', { round: f.int(), n: f.int(), part: f.int(), of: f.int(), followed: f.bool().default(false) });
const client = createClient({ name: 'stream', models: [Note] });

window.stream = async round => {
  let before = [];
  for (let n = 0; ; n++) {
    const of = 1 + n % 5;
    const parts = Array.from({ length: of }, (_, part) => ({ round, n, part, of }));
    let made = [];
    await client.transact(async tx => {
      for (const { id } of before) tx.edit(Note, id).set({ followed: true });
      made = await tx.createMany(Note, parts);
    });
    before = made;
    window.resolved(round, n);
  }
};
window.ready = () => client.ready();
window.settled = async () => {
  await client.ready();
  await new Promise(resolve => {
    const check = () => {
      const { connection, pending } = client.status.value;
      if (connection === 'live' && pending === 0) resolve();
    };
    client.status.subscribe(check);
  });
};
window.notes = () => client.fetch(Note, 'ORDER BY round, n, part');
window.rejected = () => client.rejections.value.length;
`;

interface Note {
  readonly $sync: string;
  readonly round: number;
  readonly n: number;
  readonly part: number;
  readonly of: number;
  readonly followed: boolean;
}

interface StreamWindow {
  stream(round: number): Promise<never>;
  ready(): Promise<void>;
  settled(): Promise<void>;
  notes(): Promise<readonly Note[]>;
  rejected(): number;
}

test(
  `a tab that is killed in the middle of commits ${kills} times loses none that had resolved, and leaves none half done`,
  { timeout: 60_000 + kills * 20_000 },
  async () => {
    const site = clientSite(SCRIPT);
    const server = await Server.start({ ...stage.built, app: site.folder });
    const chromium = new MortalChromium();
    try {
      const promised = new Map<number, number>(); // the last commit of each round that resolved
      for (let round = 0; round < kills; round++) await oneLife(chromium, server, round, promised);
      const here = await chromium.page(server.url);
      await here.evaluate(() => (window as unknown as StreamWindow).settled());
      const notes = await notesOf(here);
      expect(await here.evaluate(() => (window as unknown as StreamWindow).rejected())).toBe(0);
      check(notes, promised);
      const elsewhere = await chromium.pageElsewhere(server.url);
      await elsewhere.evaluate(() => (window as unknown as StreamWindow).settled());
      expect(await notesOf(elsewhere)).toEqual(notes);
    } finally {
      site.remove();
      await server.remove();
      await chromium.remove();
    }
  },
);

/** Opens a tab, has it commit for a while, sometimes without a server, and kills it in the middle. */
async function oneLife(chromium: MortalChromium, server: Server, round: number, promised: Map<number, number>): Promise<void> {
  const page = await chromium.page(server.url);
  const enough = 3 + ((round * 7) % 23);
  const lived = new Promise<void>(resolve => {
    void page.exposeFunction('resolved', (of: number, n: number) => {
      promised.set(of, n);
      if (n === enough) resolve();
    });
  });
  await page.waitForFunction(() => 'stream' in window);
  await page.evaluate(() => (window as unknown as StreamWindow).ready());
  if (round % 3 === 1) await server.kill();
  void page.evaluate(of => (window as unknown as StreamWindow).stream(of), round).catch(() => {});
  await lived;
  if (round % 2 === 0) await chromium.killRenderers();
  else await chromium.kill();
  if (round % 3 === 1) await server.start();
}

function notesOf(page: Page): Promise<readonly Note[]> {
  return page.evaluate(() => (window as unknown as StreamWindow).notes());
}

/** Every commit up to the last that resolved is there, and each that is there is there once and whole. */
function check(notes: readonly Note[], promised: ReadonlyMap<number, number>): void {
  const commits = new Map<string, Note[]>();
  for (const note of notes) {
    const key = `${note.round}/${note.n}`;
    commits.set(key, [...(commits.get(key) ?? []), note]);
    expect(note.$sync).toBe('synced');
  }
  for (const [round, last] of promised) {
    for (let n = 0; n <= last; n++) expect([...commits.keys()]).toContain(`${round}/${n}`);
  }
  for (const [key, parts] of commits) {
    const [round, n] = key.split('/').map(Number) as [number, number];
    expect(parts.map(({ part }) => part)).toEqual(Array.from({ length: 1 + (n % 5) }, (_, part) => part));
    // A commit marks those before it in the same transaction in which it makes its own.
    const followed = commits.has(`${round}/${n + 1}`);
    expect(parts.map(note => note.followed)).toEqual(parts.map(() => followed));
  }
}
