// Prints the sizes of what a page loads: the WASM, and the JavaScript of the example app.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const dist = process.argv[2] ?? 'examples/react-app/dist'
const brotli = bytes => brotliCompressSync(bytes, {
  params: {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_LGWIN]: 24,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  },
})
const files = readdirSync(dist, { recursive: true })
  .map(name => join(dist, name))
  .filter(name => /\.(wasm|js|css|html)$/.test(name) && statSync(name).isFile())

console.log('file'.padEnd(60), ...['raw', 'gzip -9', 'brotli -11'].map(h => h.padStart(12)))
for (const name of files.toSorted()) {
  const bytes = readFileSync(name)
  const sizes = [bytes.length, gzipSync(bytes, { level: 9 }).length, brotli(bytes).length]
  console.log(name.padEnd(60), ...sizes.map(n => n.toLocaleString('en').padStart(12)))
}
