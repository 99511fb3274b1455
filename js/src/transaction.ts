import { must } from './assert.ts';
import type { Editor, TransactOptions, Transaction } from './client.ts';
import { ClientError } from './errors.ts';
import type { AnyModel, CreateInput, EntityId, Infer, SetInput } from './model.ts';
import { Writer } from './msgpack.ts';
import { selectionOf, type SelectionArguments } from './query.ts';
import { formatOf, type Row } from './row.ts';
import { answerOf, withResolvers, type Session } from './session.ts';
import { writeCommit, writeCreate, writeEdit, writeFetch, writeGet, writeMark, writeRollback } from './wire.ts';

/** A message of creations is sent when it holds this many, or this many bytes. */
const fullCreation = { rows: 1000, bytes: 128 << 10 };

interface Values {
  readonly [name: string]: unknown;
}

/** One `create` that waits for the node to name its entity. */
interface Creation {
  readonly values: Values;
  readonly resolve: (row: Row) => void;
  readonly reject: (error: unknown) => void;
}

/** Creations of one model that will leave as one message. */
interface Batch {
  readonly model: AnyModel;
  readonly rows: Writer;
  readonly creations: Creation[];
}

/** The page's end of a transaction: turns calls into messages, and as few of them as it can. */
export class PageTransaction implements Transaction {
  readonly #session: Session;
  readonly #tx: number;
  readonly #generation: number;
  #batch: Batch | undefined;
  #ended = false;

  constructor(session: Session, tx: number) {
    this.#session = session;
    this.#tx = tx;
    this.#generation = session.generation;
  }

  create<M extends AnyModel>(model: M, values: CreateInput<M>): Promise<Infer<M>> {
    this.#check();
    const row = this.#add(model, values as Values) as Promise<Infer<M>>;
    // The commit reports what went wrong; whoever does not wait need not catch it as well.
    row.catch(() => {});
    return row;
  }

  createMany<M extends AnyModel>(model: M, values: readonly CreateInput<M>[]): Promise<readonly Infer<M>[]> {
    this.#check();
    this.#seal();
    // All are written before any is sent: one that is wrong throws here, and nothing has happened.
    const batches = encode(model, values as readonly Values[]);
    const rows = Promise.all(batches.map(batch => this.#send(model, batch.rows, batch.values))).then(parts => parts.flat());
    rows.catch(() => {});
    return rows as Promise<readonly unknown[]> as Promise<readonly Infer<M>[]>;
  }

  edit<M extends AnyModel>(model: M, id: EntityId): Editor<M> {
    return Object.freeze({
      id,
      set: (values: SetInput<M>) => {
        this.#check();
        this.#seal();
        const fields = new Writer();
        if (formatOf(model).writeEdit(fields, values as Values) === 0) return;
        this.#session.send(w => writeEdit(w, this.#tx, model.collection, id, fields.peek()));
      },
    });
  }

  delete<M extends AnyModel>(model: M, id: EntityId): void {
    this.#mark(model, id, true);
  }

  restore<M extends AnyModel>(model: M, id: EntityId): void {
    this.#mark(model, id, false);
  }

  async get<M extends AnyModel>(model: M, id: EntityId): Promise<Infer<M>> {
    this.#check();
    this.#seal();
    const [row] = await this.#session.rows(model, (w, request) => writeGet(w, request, this.#tx, model.collection, id));
    return row as Infer<M>;
  }

  async query<M extends AnyModel>(...args: SelectionArguments<M>): Promise<readonly Infer<M>[]> {
    this.#check();
    this.#seal();
    const [{ model, text, params }] = selectionOf(args);
    const rows = await this.#session.rows(model, (w, request) => writeFetch(w, request, this.#tx, model.collection, text, params));
    return rows as readonly Infer<M>[];
  }

  /** Commits, and resolves with the transaction's id. */
  async commit({ signal, replaces }: TransactOptions): Promise<string> {
    this.#check();
    this.#seal();
    this.#ended = true;
    return answerOf('committed', await this.#session.request((w, request) => writeCommit(w, request, this.#tx, replaces), { signal })).transaction;
  }

  /** Ends the transaction without a trace. */
  rollback(): void {
    if (this.#ended) return;
    this.#seal();
    this.#ended = true;
    if (this.#generation === this.#session.generation) this.#session.send(w => writeRollback(w, this.#tx));
  }

  #check(): void {
    if (this.#session.ended !== undefined) throw this.#session.ended;
    if (this.#ended) throw new ClientError('closed', 'the transaction has ended');
    if (this.#generation !== this.#session.generation) {
      throw new ClientError('closed', 'the tab that ran the node was closed during the transaction');
    }
  }

  #mark(model: AnyModel, id: EntityId, deleted: boolean): void {
    this.#check();
    this.#seal();
    this.#session.send(w => writeMark(w, this.#tx, model.collection, id, deleted));
  }

  #add(model: AnyModel, values: Values): Promise<Row> {
    if (this.#batch?.model !== model) this.#seal();
    const batch = (this.#batch ??= this.#begin(model));
    const before = batch.rows.length;
    try {
      formatOf(model).writeCreation(batch.rows, values);
    } catch (error) {
      batch.rows.truncate(before);
      throw error;
    }
    const { promise, resolve, reject } = withResolvers<Row>();
    batch.creations.push({ values, resolve, reject });
    if (isFull(batch.creations.length, batch.rows)) this.#seal();
    return promise;
  }

  #begin(model: AnyModel): Batch {
    const batch: Batch = { model, rows: new Writer(), creations: [] };
    queueMicrotask(() => {
      if (this.#batch === batch) this.#seal();
    });
    return batch;
  }

  /** Sends the creations collected so far. */
  #seal(): void {
    const batch = this.#batch;
    this.#batch = undefined;
    if (batch === undefined || batch.creations.length === 0) return;
    const { model, rows, creations } = batch;
    this.#send(model, rows, creations.map(creation => creation.values)).then(
      created => {
        for (const [i, { resolve }] of creations.entries()) resolve(must(created[i], 'fewer ids than creations'));
      },
      (error: unknown) => {
        for (const { reject } of creations) reject(error);
      },
    );
  }

  /** Sends one message of creations, and resolves with their rows. */
  async #send(model: AnyModel, rows: Writer, values: readonly Values[]): Promise<readonly Row[]> {
    const answer = await this.#session.request((w, request) =>
      writeCreate(w, request, this.#tx, model, values.length, rows.peek()),
    );
    const { ids } = answerOf('created', answer);
    const format = formatOf(model);
    return values.map((given, i) => format.created(must(ids[i], 'fewer ids than creations'), given));
  }
}

/** Rows as they are sent, with what they were written from. */
interface Encoded {
  readonly rows: Writer;
  readonly values: Values[];
}

/** Writes creations into as many messages as they need. */
function encode(model: AnyModel, list: readonly Values[]): readonly Encoded[] {
  const format = formatOf(model);
  const batches: Encoded[] = [];
  let batch: Encoded | undefined;
  for (const values of list) {
    if (batch === undefined || isFull(batch.values.length, batch.rows)) {
      batch = { rows: new Writer(), values: [] };
      batches.push(batch);
    }
    format.writeCreation(batch.rows, values);
    batch.values.push(values);
  }
  return batches;
}

function isFull(count: number, rows: Writer): boolean {
  return count >= fullCreation.rows || rows.length >= fullCreation.bytes;
}
