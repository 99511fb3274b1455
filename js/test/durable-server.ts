import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The durable server of this repository, over memory. */
export class DurableServer {
  /** Where it listens. */
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #directory: string;

  private constructor(url: string, process: ChildProcess, directory: string) {
    this.url = url;
    this.#process = process;
    this.#directory = directory;
  }

  /** Builds it, starts it on a port that is free, and waits until it listens. */
  static async start(): Promise<DurableServer> {
    const directory = mkdtempSync(join(tmpdir(), 'ankurah-server-'));
    const binary = join(directory, 'server');
    execFileSync('go', ['build', '-o', binary, './server'], { cwd: root, stdio: 'inherit' });
    const child = spawn(binary, ['--addr', '127.0.0.1:0', '--storage', 'memory:'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const url = await new Promise<string>((resolve, reject) => {
      let log = '';
      child.stderr?.on('data', (chunk: Buffer) => {
        log += chunk.toString();
        const address = /clients=(ws:\S+)/.exec(log)?.[1];
        if (address !== undefined) resolve(`${address}/ws`);
      });
      child.on('exit', () => reject(new Error(`the server ended: ${log}`)));
    });
    return new DurableServer(url, child, directory);
  }

  stop(): void {
    this.#process.removeAllListeners('exit');
    this.#process.kill();
    rmSync(this.#directory, { recursive: true });
  }
}
