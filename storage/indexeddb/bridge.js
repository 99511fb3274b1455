// The JavaScript half of package indexeddb. It sets one global, ankurahIndexedDB, and is meant
// to be run before the WASM program starts: by <script>, importScripts or `import` of this file.
// If it was not, the program makes it with `new Function`, which a Content-Security-Policy without
// 'unsafe-eval' forbids.
//
// Everything crosses in bulk: the program sends one packed list of operations, which are carried
// out in one IndexedDB transaction that waits for nothing else, and gets one packed reply.
// transaction_js.go is the other half of the format.
globalThis.ankurahIndexedDB ??= (() => {
  'use strict';

  const GET = 1, SCAN = 2, CHECK = 3, PUT = 4, DELETE = 5, CLEAR = 6;
  const KEYS_ONLY = 1;
  const ABSENT = 0xffffffff; // in place of a length: there is no such value

  /** Reads operations from the program's packed list. Lengths are little endian, 32 bits. */
  class Reader {
    constructor(bytes) {
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.at = 0;
    }
    more() { return this.at < this.bytes.length; }
    byte() { return this.bytes[this.at++]; }
    uint() { this.at += 4; return this.view.getUint32(this.at - 4, true); }
    /** Returns a copy: storing a view would store the whole buffer behind it. */
    slice() {
      const n = this.uint();
      if (n === ABSENT) return undefined;
      this.at += n;
      return this.bytes.slice(this.at - n, this.at);
    }
  }

  const range = (start, end) => IDBKeyRange.bound(start, end, false, true);

  /** Calls then(request.result) on success; a request that fails aborts its transaction by itself. */
  const on = (request, then) => { request.onsuccess = () => then(request.result); };

  /** Scans into out, an array of keys and values in turn. */
  const scan = (store, query, flags, out) => {
    if (flags & KEYS_ONLY) {
      on(store.getAllKeys(query), (keys) => { for (const key of keys) out.push(new Uint8Array(key), empty); });
      return;
    }
    let keys;
    on(store.getAllKeys(query), (result) => { keys = result; });
    on(store.getAll(query), (values) => values.forEach((value, i) => out.push(new Uint8Array(keys[i]), value)));
  };

  const empty = new Uint8Array(0);
  const equal = (a, b) => a === undefined || b === undefined
    ? a === b
    : a.length === b.length && a.every((x, i) => x === b[i]);

  /** Packs results: a value or undefined as one slice, an array as its number of pairs and their slices. */
  const pack = (results) => {
    let size = 0;
    for (const r of results) {
      size += 4;
      if (Array.isArray(r)) for (const s of r) size += 4 + s.length;
      else if (r !== undefined) size += r.length;
    }
    const bytes = new Uint8Array(size), view = new DataView(bytes.buffer);
    let at = 0;
    const uint = (n) => { view.setUint32(at, n, true); at += 4; };
    const slice = (s) => { uint(s.length); bytes.set(s, at); at += s.length; };
    for (const r of results) {
      if (Array.isArray(r)) {
        uint(r.length / 2);
        r.forEach(slice);
      } else if (r === undefined) uint(ABSENT);
      else slice(r);
    }
    return bytes;
  };

  /**
   * Carries out operations in one transaction and calls done(id, '', '', reply) when it is
   * complete, or done(id, name, message) when nothing of it was stored: name is that of a
   * DOMException, or 'Conflict' when a check failed. Returns the transaction, or undefined if
   * there is none; then done has been called. A value to be put that is absent from the list is
   * the next one of values.
   */
  const transact = (db, storeName, operations, values, write, durability, id, done) => {
    let tx;
    try {
      tx = db.transaction(storeName, write ? 'readwrite' : 'readonly', { durability });
      const store = tx.objectStore(storeName);
      const reader = new Reader(operations);
      const results = [];
      let conflict = false, large = 0;
      tx.oncomplete = () => done(id, '', '', pack(results));
      tx.onabort = () => {
        if (conflict) done(id, 'Conflict', '');
        else done(id, tx.error?.name ?? 'AbortError', tx.error?.message ?? '');
      };
      while (reader.more()) {
        switch (reader.byte()) {
          case GET: {
            const i = results.push(undefined) - 1;
            on(store.get(reader.slice()), (value) => { results[i] = value; });
            break;
          }
          case SCAN: {
            const flags = reader.byte(), out = [];
            results.push(out);
            scan(store, range(reader.slice(), reader.slice()), flags, out);
            break;
          }
          case CHECK: {
            const key = reader.slice(), want = reader.slice();
            on(store.get(key), (value) => {
              if (conflict || equal(value, want)) return;
              conflict = true;
              tx.abort();
            });
            break;
          }
          case PUT: {
            const key = reader.slice();
            store.put(reader.slice() ?? values[large++], key);
            break;
          }
          case DELETE:
            store.delete(reader.slice());
            break;
          case CLEAR:
            store.delete(range(reader.slice(), reader.slice()));
            break;
          default:
            throw new Error('unknown operation');
        }
      }
      return tx;
    } catch (e) {
      if (tx) {
        tx.oncomplete = tx.onabort = null;
        try { tx.abort(); } catch { /* it has ended already */ }
      }
      done(id, e.name, e.message);
      return undefined;
    }
  };

  /**
   * Returns an IDBFactory for one opening of a database, which a Go library drives. It keeps
   * the database at hand as .database, and tells what happens to it: event('blocked'),
   * event('versionchange') after closing it so that another connection may go on, and
   * event('close') when the browser has closed it. After abandon(), a database that still opens
   * is closed at once.
   */
  const factory = (event) => ({
    database: undefined,
    abandoned: false,
    abandon() { this.abandoned = true; },
    open(name, version) {
      const request = indexedDB.open(name, version);
      request.addEventListener('blocked', () => { if (!this.abandoned) event('blocked'); });
      request.addEventListener('upgradeneeded', () => {
        // An upgrade that nobody carries out must not leave an empty database.
        if (this.abandoned) request.transaction.abort();
      });
      request.addEventListener('success', () => {
        const db = request.result;
        if (this.abandoned) { db.close(); return; }
        this.database = db;
        db.addEventListener('versionchange', (e) => {
          e.stopImmediatePropagation();
          db.close();
          event('versionchange');
        });
        db.addEventListener('close', () => event('close'));
      });
      return request;
    },
  });

  let channel;
  const waiting = [];
  /** Calls done(id, '', '', empty) once the event loop has gone round. */
  const turn = (id, done) => {
    if (!channel) {
      channel = new MessageChannel();
      channel.port1.onmessage = () => { waiting.shift()(); };
    }
    waiting.push(() => done(id, '', '', empty));
    channel.port2.postMessage(null);
  };

  return { factory, transact, turn };
})();
