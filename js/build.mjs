// Builds dist/: the JavaScript and its types, Go's glue, the node as WebAssembly, and, with
// --compress, both compressed ahead of time for servers that send such files.
//
//   node build.mjs [--compress]
import { execFileSync } from 'node:child_process';
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, 'dist');
const run = (command, args, env = {}) =>
  execFileSync(command, args, { cwd: here, stdio: 'inherit', env: { ...process.env, ...env } });

mkdirSync(dist, { recursive: true });
for (const name of readdirSync(dist)) {
  if (/\.(js|d\.ts)$/.test(name)) rmSync(join(dist, name));
}

const tsc = join(here, 'node_modules', 'typescript', 'bin', 'tsc');
run(process.execPath, [existsSync(tsc) ? tsc : join(here, '..', 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json']);

// The glue belongs to the toolchain that compiles the program; as a module it gets a name.
const glue = join(execFileSync('go', ['env', 'GOROOT'], { cwd: here, encoding: 'utf8' }).trim(), 'lib', 'wasm', 'wasm_exec.js');
copyFileSync(glue, join(dist, 'wasm-exec.js'));
// The JavaScript half of the IndexedDB store goes along: it must be there before the program starts.
const bridge = readFileSync(join(here, '..', 'storage', 'indexeddb', 'bridge.js'), 'utf8');
appendFileSync(join(dist, 'wasm-exec.js'), `\n${bridge}\nexport const Go = globalThis.Go;\n`);

// Packages in which calls are few and long: not inlining there saves some 45 KB of download.
// What is called for every row, value or byte stays inlined.
const compact = [
  ...['bufio', 'context', 'encoding/base64', 'errors', 'fmt', 'internal/bisect', 'internal/fmtsort', 'internal/godebug'],
  ...['internal/poll', 'internal/reflectlite', 'internal/strconv', 'io', 'io/fs', 'log', 'math/rand', 'math/rand/v2', 'os', 'path'],
  ...['reflect', 'sort', 'strconv', 'syscall', 'syscall/js', 'time', 'unicode', 'unique'],
  ...['connectors/wsjs', 'core', 'core/aggregate', 'core/policy', 'core/schema', 'storage/indexeddb', 'storage/plan'].map(own),
  ...['wasm', 'wasm/bridge', 'wasm/frame'].map(own),
];
function own(name) {
  return `github.com/ankurah-go/ankurah/${name}`;
}
const wasm = join(dist, 'ankurah.wasm');
// Without the commit in it the file is the same, and stays in caches, while its code is the same.
const flags = ['-trimpath', '-buildvcs=false', '-ldflags=-s -w', ...compact.map((name) => `-gcflags=${name}=-l`)];
run('go', ['build', ...flags, '-o', wasm, '../wasm'], { GOOS: 'js', GOARCH: 'wasm' });
// A fifth less to download, for tracebacks without names. ANKURAH_TRACEBACKS=1 keeps them.
if (!process.env.ANKURAH_TRACEBACKS) run('go', ['run', '../internal/wasmstrip', wasm, wasm]);

if (process.argv.includes('--compress')) {
  for (const name of ['ankurah.wasm', 'mod.js', 'worker.js']) {
    const bytes = readFileSync(join(dist, name));
    writeFileSync(join(dist, `${name}.gz`), gzipSync(bytes, { level: 9 }));
    writeFileSync(join(dist, `${name}.br`), brotli(bytes));
  }
}

function brotli(bytes) {
  return brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
}
