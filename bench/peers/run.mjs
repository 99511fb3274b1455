// Runs the browser harness of peer databases with this repository's client among them.
//
//   PEERS=DIR node bench/peers/run.mjs [--only ankurah,dexie,raw] [--runs 5] [--w w1,w2] [--big 100000] …
//
// DIR is the harness; it is not changed. A copy of it with our adapter is kept in .tools/peers,
// where results.json and results.md are too. Options are the harness's. With BUILT=1 js/dist,
// react/dist and bin/ankurah-server are taken as they are.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');
const copy = process.env.PEERS_COPY ?? join(root, '.tools', 'peers');
const address = `localhost:${process.env.ANKURAH_PORT ?? 4174}`;
const entry = `
  ankurah: {
    pkgs: ['@ankurah-go/client', '@ankurah-go/react'], files: [nm + '@ankurah-go/client/dist/ankurah.wasm'],
    workers: { 'worker.js': nm + '@ankurah-go/client/dist/worker.js' },
  },`;

const peers = process.env.PEERS;
if (!peers || !existsSync(join(peers, 'adapter.ts'))) {
  console.error('PEERS is to be the folder of the harness, which has adapter.ts and run.mjs');
  process.exit(2);
}
if (!process.env.BUILT) execFileSync('make', ['build-react', 'build-server'], { cwd: root, stdio: 'inherit' });
copyHarness();
addPackages();
addAdapter();
process.exitCode = await withServer(() => runHarness(process.argv.slice(2)));

/** Copies the harness, and installs its packages if they are others than last time. */
function copyHarness() {
  mkdirSync(copy, { recursive: true });
  const lock = name => (existsSync(name) ? readFileSync(name, 'utf8') : '');
  const before = lock(join(copy, 'package-lock.json'));
  cpSync(peers, copy, {
    recursive: true,
    force: true,
    mode: 0,
    filter: source => !/node_modules|dist$|results\.(json|md)$/.test(source.slice(peers.length)),
  });
  execFileSync('chmod', ['-R', 'u+w', copy]);
  if (!existsSync(join(copy, 'node_modules')) || before !== lock(join(copy, 'package-lock.json'))) {
    execFileSync('npm', ['install', '--no-audit', '--no-fund'], { cwd: copy, stdio: 'inherit' });
  }
}

/** Puts our packages where npm would, as they would be published. */
function addPackages() {
  const modules = join(copy, 'node_modules');
  for (const [name, from] of [['client', 'js'], ['react', 'react']]) {
    const to = join(modules, '@ankurah-go', name);
    rmSync(to, { recursive: true, force: true });
    for (const part of ['package.json', 'dist']) cpSync(join(root, from, part), join(to, part), { recursive: true });
  }
  const signals = '@preact/signals-core';
  cpSync(join(root, 'js', 'node_modules', signals), join(modules, signals), { recursive: true, dereference: true });
}

function addAdapter() {
  cpSync(join(here, 'adapters'), join(copy, 'adapters'), { recursive: true });
  writeFileSync(join(copy, 'adapters', 'ankurah.server.ts'), `export const serverUrl = 'ws://${address}/ws';\n`);
  const runner = join(copy, 'run.mjs');
  const source = readFileSync(runner, 'utf8');
  const table = 'const META = {';
  if (!source.includes(table)) throw new Error(`${runner} has no table of adapters any more`);
  writeFileSync(runner, source.replace(table, table + entry));
}

/** Runs what needs the durable server that new databases join, and stops it. */
async function withServer(run) {
  const data = mkdtempSync(join(tmpdir(), 'ankurah-peers-'));
  const server = spawn(join(root, 'bin', 'ankurah-server'), ['--addr', address, '--data', data], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ANKURAH_LOG_LEVEL: 'error' },
  });
  const ended = new Promise(resolve => server.once('exit', resolve));
  try {
    return run();
  } finally {
    server.kill();
    await ended;
    rmSync(data, { recursive: true, force: true });
  }
}

function runHarness(options) {
  return spawnSync(process.execPath, ['run.mjs', ...options], { cwd: copy, stdio: 'inherit' }).status ?? 1;
}
