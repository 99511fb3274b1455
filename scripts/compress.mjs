// Puts compressed copies (.br, .gz) beside the files of a built web app, for servers that
// send such: ankurah-server --app does. Copies that are up to date stay.
//
//   node scripts/compress.mjs DIST
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const worthwhile = /\.(wasm|js|css|html|json|svg|txt|map|webmanifest)$/
const smallest = 1024

const brotli = bytes => brotliCompressSync(bytes, {
  params: {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_LGWIN]: 24,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  },
})
const copies = [['.br', brotli], ['.gz', bytes => gzipSync(bytes, { level: 9 })]]

const dist = process.argv[2]
if (!dist) throw new Error('usage: node scripts/compress.mjs DIST')
const names = readdirSync(dist, { recursive: true }).map(name => join(dist, name))
for (const name of names) {
  const original = name.replace(/\.(br|gz)$/, '')
  if (original !== name && !existsSync(original)) rmSync(name) // of an earlier build
}
for (const name of names.filter(n => worthwhile.test(n) && existsSync(n) && statSync(n).size >= smallest)) {
  for (const [suffix, compress] of copies) {
    const copy = name + suffix
    if (existsSync(copy) && statSync(copy).mtimeMs >= statSync(name).mtimeMs) continue
    const bytes = readFileSync(name)
    const compressed = compress(bytes)
    if (compressed.length < bytes.length) writeFileSync(copy, compressed)
  }
}
