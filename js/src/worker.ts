import { ClientError } from './errors.ts';
import { holdLock, onLockFree, uniqueName, type PageNote, type Port, type WorkerNote } from './port-link.ts';
import { startProgram, type Program } from './program.ts';

// The script of the worker that runs the node: shared by the tabs of an origin, or, where there is
// no SharedWorker, owned by one tab that hands it a port for each.

/** A page's session. */
interface Client {
  readonly port: Port;
  readonly watch: AbortController;
}

const clients = new Map<number, Client>();
let lastClient = 0;
let starting: Promise<Program> | undefined;

const lock = uniqueName('worker');
const locked = holdLock(lock);

function accept(port: Port): void {
  const id = ++lastClient;
  // Frames come only after the page was told that the program is there.
  let program: Program | undefined;
  port.onmessage = ({ data }) => {
    if (data instanceof Uint8Array) {
      program?.receive(id, data);
      return;
    }
    const note = data as PageNote;
    if (note.kind === 'close') {
      end(id);
    } else {
      open(id, port, note).then(
        opened => (program = opened),
        (error: unknown) => {
          clients.delete(id);
          tellFailure(port, error);
        },
      );
    }
  };
}

async function open(id: number, port: Port, note: PageNote & { kind: 'open' }): Promise<Program> {
  const watch = new AbortController();
  clients.set(id, { port, watch });
  if (note.lock !== undefined) onLockFree(note.lock, () => end(id), watch.signal);
  starting ??= start(note.wasmUrl);
  const [program, held] = await Promise.all([starting, locked]);
  if (clients.has(id)) tell(port, { kind: 'open', lock: held && lock });
  return program;
}

/** Ends a session, because its page says so or is gone. */
function end(id: number): void {
  const client = clients.get(id);
  if (client === undefined) return;
  clients.delete(id);
  client.watch.abort();
  tell(client.port, { kind: 'closed' });
  void starting?.then(program => program.disconnect(id)).catch(() => {}); // whoever waits for the start is told
}

async function start(wasmUrl: string | undefined): Promise<Program> {
  try {
    return await startProgram(wasmUrl, {
      message: (id, frame) => clients.get(id)?.port.postMessage(frame, [frame.buffer]),
      failed,
    });
  } catch (error) {
    starting = undefined; // the next page tries again
    throw error;
  }
}

/** The program broke: every page is told, and the next one that comes starts another. */
function failed(error: ClientError): void {
  starting = undefined;
  const told = [...clients.values()];
  clients.clear();
  for (const { port, watch } of told) {
    watch.abort();
    tellFailure(port, error);
  }
}

function tellFailure(port: Port, error: unknown): void {
  const { code, message } = error instanceof ClientError ? error : new ClientError('internal', String(error));
  tell(port, { kind: 'failed', code, message });
}

function tell(port: Port, note: WorkerNote): void {
  port.postMessage(note, []);
}

// A shared worker is handed ports by the browser, one of a tab by that tab.
const scope: {
  onconnect?: ((event: MessageEvent) => void) | null;
  onmessage?: ((event: MessageEvent) => void) | null;
} = globalThis;
const acceptFirst = ({ ports: [port] }: MessageEvent): void => {
  if (port !== undefined) accept(port);
};
if ('onconnect' in scope) scope.onconnect = acceptFirst;
else scope.onmessage = acceptFirst;
