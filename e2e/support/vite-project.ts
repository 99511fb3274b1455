import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from './server.ts';
import { until } from './until.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));

const MAIN = `
import { createClient, defineModel, f } from '@ankurah-go/client';
import { AnkurahProvider, useLiveQuery, useStatus, useTransact } from '@ankurah-go/react';
import { createElement as h, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

const Note = defineModel('note', { text: f.text() });
const client = createClient({ name: 'notes', url: import.meta.env.VITE_SERVER, models: [Note] });

function Notes() {
  const { data } = useLiveQuery(Note, 'ORDER BY text');
  const { connection } = useStatus();
  const transact = useTransact();
  const add = () => transact(tx => void tx.create(Note, { text: 'note ' + data.length }));
  return h('main', null,
    h('p', { id: 'status' }, connection),
    h('button', { onClick: add }, 'Add'),
    h('p', { id: 'notes' }, data.map(note => note.text).join(', ')));
}

createRoot(document.getElementById('root')).render(
  h(StrictMode, null, h(AnkurahProvider, { client }, h(Notes))));
`;

/**
 * An empty Vite project outside of the repository, with the packed packages installed as from a registry:
 * no configuration, no plugin.
 */
export class ViteProject {
  readonly #folder: string;
  readonly #running: ChildProcess[] = [];

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async create(): Promise<ViteProject> {
    const project = new ViteProject(mkdtempSync(join(tmpdir(), 'ankurah-vite-')));
    const packed = await Promise.all(['js', 'react'].map(name => project.#pack(name)));
    project.#write('package.json', JSON.stringify({ name: 'empty', private: true, type: 'module' }));
    project.#write('index.html', '<div id="root"></div><script type="module" src="/src/main.js"></script>');
    mkdirSync(join(project.#folder, 'src'));
    project.#write('src/main.js', MAIN);
    await project.#npm('install', ...packed, 'react@19.3.1', 'react-dom@19.3.1', 'vite@8.3.8');
    return project;
  }

  /** Runs a Vite command that serves, against a server, and returns where. */
  async serve(command: 'dev' | 'preview', server: string): Promise<string> {
    const port = await freePort();
    const args = [this.#vite, command, '--host', '127.0.0.1', '--port', String(port), '--strictPort'];
    const child = spawn(process.execPath, args, {
      cwd: this.#folder,
      env: { ...process.env, VITE_SERVER: server },
      stdio: 'ignore',
    });
    this.#running.push(child);
    const url = `http://127.0.0.1:${port}/`;
    await until(`vite ${command} answers`, () =>
      fetch(url).then(
        response => response.ok,
        () => false,
      ),
    );
    return url;
  }

  /** Builds the project for a server. */
  async build(server: string): Promise<void> {
    await run(process.execPath, [this.#vite, 'build'], {
      cwd: this.#folder,
      env: { ...process.env, VITE_SERVER: server },
    });
  }

  async remove(): Promise<void> {
    for (const child of this.#running) {
      if (child.exitCode !== null) continue;
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #vite(): string {
    return join(this.#folder, 'node_modules/vite/bin/vite.js');
  }

  #write(path: string, text: string): void {
    writeFileSync(join(this.#folder, path), text);
  }

  /** Packs a package of the repository, and returns the file. */
  async #pack(name: string): Promise<string> {
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', this.#folder], { cwd: join(root, name) });
    return join(this.#folder, packedFile(stdout));
  }

  async #npm(...args: string[]): Promise<void> {
    await run('npm', [...args, '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'], { cwd: this.#folder });
  }
}

/** Reads the name of the file from what `npm pack --json` prints: a list, or from npm 11 on an object. */
function packedFile(json: string): string {
  const [packed] = Object.values(JSON.parse(json) as Record<string, { filename: string }>);
  if (packed === undefined) throw new Error(`npm packed nothing: ${json}`);
  return packed.filename;
}
