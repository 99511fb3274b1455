// Holds what a page downloads, as brotli -11, against the ceilings in size-ceilings.json, and fails
// where something has grown above one. Whoever makes something smaller lowers its ceiling; whoever
// has a reason to raise one says so in the commit.
//
//   node scripts/check-size.mjs
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants } from 'node:zlib'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const { build } = createRequire(join(root, 'js', 'package.json'))('esbuild')
const ceilings = JSON.parse(readFileSync(join(root, 'scripts', 'size-ceilings.json'), 'utf8'))

const sizes = {
  'ankurah.wasm': brotli(readFileSync(join(root, 'js', 'dist', 'ankurah.wasm'))),
  'client on the page': await script('js', []),
  'React hooks': await script('react', ['react', 'react/*', '@ankurah-go/client', '@preact/signals-core']),
}

let above = 0
for (const [name, size] of Object.entries(sizes)) {
  const ceiling = ceilings[name]
  const grown = size > ceiling
  above += grown ? 1 : 0
  console.log(`${name.padEnd(20)} ${size.toLocaleString('en').padStart(10)} of ${ceiling.toLocaleString('en').padStart(10)} bytes${grown ? '  ABOVE ITS CEILING' : ''}`)
}
process.exitCode = above > 0 ? 1 : 0

/** What a page loads of a package before it does anything: its entry and the chunks that imports. */
async function script(folder, external) {
  const { outputFiles, metafile } = await build({
    absWorkingDir: join(root, folder),
    entryPoints: ['dist/mod.js'],
    bundle: true,
    minify: true,
    splitting: true,
    format: 'esm',
    outdir: 'out',
    write: false,
    metafile: true,
    external,
  })
  const loaded = new Set()
  const load = name => {
    if (loaded.has(name)) return
    loaded.add(name)
    for (const { path, kind, external: outside } of metafile.outputs[name].imports) {
      if (kind === 'import-statement' && !outside) load(path)
    }
  }
  load('out/mod.js')
  return outputFiles
    .filter(({ path }) => [...loaded].some(name => path === resolve(root, folder, name)))
    .reduce((sum, { contents }) => sum + brotli(contents), 0)
}

function brotli(bytes) {
  return brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  }).length
}
