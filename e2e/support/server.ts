import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Built } from './build.ts';
import { until } from './until.ts';

/** Returns a port of this machine that nobody listens on. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** A server as a process of its own, which can be killed and started again over the same data. */
export class Server {
  readonly port: number;
  readonly #seed: string;
  readonly #binary: string;
  readonly #args: readonly string[];
  readonly #data: string;
  #process: ChildProcess | undefined;
  #log = '';

  private constructor(seed: string, binary: string, args: readonly string[], port: number, data: string) {
    this.#seed = seed;
    this.#binary = binary;
    this.#args = args;
    this.port = port;
    this.#data = data;
  }

  /** Starts the durable server, which also serves the example app. */
  static async start(built: Built, ...more: string[]): Promise<Server> {
    const port = await freePort();
    const data = mkdtempSync(join(tmpdir(), 'ankurah-data-'));
    const args = ['--addr', `127.0.0.1:${port}`, '--data', data, '--app', built.app, ...more];
    const server = new Server(built.seed, built.server, args, port, data);
    await server.start();
    return server;
  }

  /** Starts the server that refuses albums named "forbidden". */
  static async startPolicy(built: Built): Promise<Server> {
    const port = await freePort();
    const data = mkdtempSync(join(tmpdir(), 'ankurah-data-'));
    const server = new Server(built.seed, built.policyServer, ['-addr', `127.0.0.1:${port}`, '-app', built.app], port, data);
    await server.start();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** What the server has logged, in all its lives. */
  get log(): string {
    return this.#log;
  }

  /** Adds albums through the server's API, as `make seed` does. */
  async seed(albums: number): Promise<void> {
    await promisify(execFile)(this.#seed, ['-n', String(albums), '-url', `ws://127.0.0.1:${this.port}/ws`]);
  }

  /** Starts the server and waits until it answers. */
  async start(): Promise<void> {
    const child = spawn(this.#binary, this.#args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
    }
    await until('the server answers', async () => {
      if (child.exitCode !== null) throw new Error(`the server ended:\n${this.#log}`);
      return fetch(this.url).then(
        response => response.ok,
        () => false,
      );
    });
  }

  /** Ends the server as `kill -9` does: it has no chance to write anything. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Ends the server in good order. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** Ends the server and removes its data. */
  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#data, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }
}
