import { ClientError } from './errors.ts';
import { Go } from './wasm-exec.js';

/** The Go program while it runs. It serves any number of ports, each with its own session. */
export interface Program {
  /** Hands over a frame from a port, which becomes known by it. */
  receive(port: number, frame: Uint8Array): void;
  /** Ends a port's session. */
  disconnect(port: number): void;
  /** Ends the program: sessions end, the store is closed. */
  stop(): Promise<void>;
}

/** What the program tells. */
export interface ProgramEvents {
  /** A frame for a port. */
  message(port: number, frame: Uint8Array<ArrayBuffer>): void;
  /** The program ended although nobody stopped it. */
  failed(error: ClientError): void;
}

/** What the Go program finds under the global name that is its argument (wasm/main_js.go). */
interface Entry {
  message(port: number, frame: Uint8Array<ArrayBuffer>): void;
  start(receive: Program['receive'], disconnect: Program['disconnect'], stop: () => void): void;
}

let programs = 0;

/**
 * Loads and runs the Go program.
 *
 * @throws {ClientError} `internal` if it cannot be loaded or started.
 */
export async function startProgram(wasmUrl: string | undefined, events: ProgramEvents): Promise<Program> {
  const go = new Go();
  const instance = await load(wasmUrl, go.importObject);
  const name = `__ankurah_${++programs}`;
  let status = 0;
  let stopping = false;
  go.argv = ['ankurah', name];
  go.exit = code => (status = code);
  return new Promise((resolve, reject) => {
    const entry: Entry = {
      message: events.message,
      start: (receive, disconnect, stop) =>
        resolve({
          receive,
          disconnect,
          stop: () => {
            stopping = true;
            stop();
            return ended;
          },
        }),
    };
    Object.defineProperty(globalThis, name, { value: entry, configurable: true });
    const ended = go.run(instance).then(() => {
      silence(go);
      Reflect.deleteProperty(globalThis, name);
      if (stopping) return;
      const error = new ClientError('internal', `the node ended unexpectedly (status ${status}); the console says why`);
      reject(error);
      events.failed(error);
    });
  });
}

/** Lets timers and events that come after the program's end pass, where Go's glue would throw. */
function silence(go: Go): void {
  go._resume = () => {};
  for (const timer of go._scheduledTimeouts.values()) clearTimeout(timer);
}

async function load(wasmUrl: string | undefined, imports: WebAssembly.Imports): Promise<WebAssembly.Instance> {
  const url = wasmUrl === undefined ? new URL('./ankurah.wasm', import.meta.url) : new URL(wasmUrl, import.meta.url);
  try {
    const { instance } = await instantiate(url, imports);
    return instance;
  } catch (cause) {
    throw new ClientError('internal', `the node could not be loaded from ${url.href}: ${String(cause)}`, { cause });
  }
}

async function instantiate(
  url: URL,
  imports: WebAssembly.Imports,
): Promise<WebAssembly.WebAssemblyInstantiatedSource> {
  if (url.protocol === 'file:') return WebAssembly.instantiate(readFile(url), imports);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  if (response.headers.get('content-type')?.startsWith('application/wasm')) {
    return WebAssembly.instantiateStreaming(response, imports);
  }
  return WebAssembly.instantiate(await response.arrayBuffer(), imports);
}

/** Reads a file in Node.js, without an import that bundlers for browsers would trip over. */
function readFile(url: URL): Uint8Array<ArrayBuffer> {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: 'node:fs') => FileSystem } };
  if (process?.getBuiltinModule === undefined) throw new Error('only Node.js reads files');
  return process.getBuiltinModule('node:fs').readFileSync(url);
}

interface FileSystem {
  readFileSync(url: URL): Uint8Array<ArrayBuffer>;
}
