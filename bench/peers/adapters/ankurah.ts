// Ankurah in the harness: the node in its SharedWorker over IndexedDB, as an application has it.
//
// A device joins its system on its first visit, and from then on works with or without a
// network. The other databases here talk to no server, so while anything is timed this one has no
// network either; `close`, which is not timed, goes online until the server has everything.
import { createClient, defineModel, f, type Client, type EntityId, type Infer, type Params } from '@ankurah-go/client';

import type { Adapter, Album, Db, Query } from '../adapter';
import { serverUrl } from './ankurah.server'; // written by run.mjs

/** The model of one database: all of them, of all runs, share a server, where each has a collection to itself. */
const albumModel = (database: string) =>
  defineModel(
    `album-${database}-${profile()}`,
    {
      key: f.string(), // the harness's own id; an entity's is made by the node
      name: f.string(),
      artist: f.string(),
      year: f.int(),
      genre: f.string(),
      rating: f.float(),
      notes: f.string(),
    },
    { indexes: [['genre', 'rating DESC'], ['year'], ['name']] },
  );

/** Names this run's browser profile, which is new for each run, as its databases are not to the server. */
function profile(): string {
  const kept = localStorage.getItem('profile');
  if (kept !== null) return kept;
  const made = crypto.randomUUID().slice(0, 8);
  localStorage.setItem('profile', made);
  return made;
}

type AlbumModel = ReturnType<typeof albumModel>;
type Row = Infer<AlbumModel>;

/** A transaction takes this many entities. */
const fullTransaction = 10_000;

let online = true;
Object.defineProperty(navigator, 'onLine', { get: () => online });

function setOnline(value: boolean): void {
  online = value;
  dispatchEvent(new Event(value ? 'online' : 'offline'));
}

/** The query as the library wants it. */
export function selectionOf(q: Query): { text: string; params: Params } {
  const where = [];
  if (q.genre !== undefined) where.push('genre = :genre');
  if (q.yearGt !== undefined) where.push('year > :year');
  let text = where.join(' AND ');
  if (q.orderBy === 'name') text += ' ORDER BY name';
  if (q.orderBy === 'ratingDesc') text += ' ORDER BY rating DESC';
  if (q.limit !== undefined) text += ` LIMIT ${q.limit}`;
  const params: Record<string, string | number> = {};
  if (q.genre !== undefined) params.genre = q.genre;
  if (q.yearGt !== undefined) params.year = q.yearGt;
  return { text, params };
}

/** What the harness sees of a row. */
const albumOf = (row: Row): Album => ({ ...row, id: row.key });

function valuesOf({ id, ...fields }: Album): Omit<Row, 'id'> {
  return { key: id, ...fields };
}

export class Database implements Db {
  readonly client: Client;
  readonly model: AlbumModel;
  /** Entities by the harness's id. An application has the entity's id at hand, in the row that it edits. */
  readonly #entities = new Map<string, EntityId>();

  constructor(client: Client, model: AlbumModel) {
    this.client = client;
    this.model = model;
  }

  async bulkInsert(albums: Album[]): Promise<void> {
    for (let i = 0; i < albums.length; i += fullTransaction) {
      const values = albums.slice(i, i + fullTransaction).map(valuesOf);
      await this.client.transact(async tx => void (await tx.createMany(this.model, values)));
    }
  }

  async insertOne(album: Album): Promise<void> {
    await this.client.transact(tx => void tx.create(this.model, valuesOf(album)));
  }

  update(patch: { id: string; rating: number }): Promise<void> {
    return this.updateMany([patch]);
  }

  async updateMany(patches: { id: string; rating: number }[]): Promise<void> {
    const missing = patches.some(({ id }) => !this.#entities.has(id));
    if (missing) for (const row of await this.client.fetch(this.model)) this.#entities.set(row.key, row.id);
    await this.client.transact(tx => {
      for (const { id, rating } of patches) tx.edit(this.model, this.#entities.get(id)!).set({ rating });
    });
  }

  async query(q: Query): Promise<Album[]> {
    const { text, params } = selectionOf(q);
    return (await this.client.fetch(this.model, text, params)).map(albumOf);
  }

  count(q: Query): Promise<number> {
    const { text, params } = selectionOf(q);
    return this.client.count(this.model, text, params);
  }

  liveQuery(q: Query, callback: (albums: Album[]) => void): () => void {
    const { text, params } = selectionOf(q);
    const live = this.client.query(this.model, text, params);
    const show = (): void => {
      if (live.status !== 'loading') callback(live.data.map(albumOf));
    };
    live.subscribe(show);
    show();
    return () => live.dispose();
  }

  async close(): Promise<void> {
    setOnline(true);
    const { status } = this.client;
    const synced = () => status.peek().connection === 'live' && status.peek().pending === 0;
    await new Promise<void>(resolve => {
      const stop = status.subscribe(() => {
        if (synced()) queueMicrotask(() => { stop(); resolve(); });
      });
    });
    await this.client.close();
  }
}

export default {
  name: 'ankurah',
  ack: 'durable',
  async open(name) {
    const known = localStorage.getItem(`joined ${name}`) !== null;
    setOnline(!known);
    const model = albumModel(name);
    const client = createClient({ name, url: serverUrl, models: [model] });
    if (!known) {
      await client.ready();
      localStorage.setItem(`joined ${name}`, '');
      setOnline(false);
    }
    return new Database(client, model);
  },
} satisfies Adapter;
