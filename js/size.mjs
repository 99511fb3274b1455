// Prints the size of what a page loads from this package: its JavaScript, bundled and minified
// as an application's build does it, and the program.
//
//   node size.mjs
import { readFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

import { build } from 'esbuild';

const { outputFiles } = await build({
  entryPoints: ['dist/mod.js', 'dist/worker.js'],
  bundle: true,
  minify: true,
  splitting: true,
  format: 'esm',
  outdir: 'out',
  write: false,
});
const files = outputFiles.map(({ path, contents }) => ({ name: path.replace(/^.*\/out\//, ''), contents }));
files.push({ name: 'ankurah.wasm', contents: readFileSync('dist/ankurah.wasm') });

print('file'.padEnd(30), ...['raw', 'gzip -9', 'brotli -11'].map(head => head.padStart(12)));
for (const { name, contents } of files) {
  const brotli = brotliCompressSync(contents, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: contents.length,
    },
  });
  const sizes = [contents.length, gzipSync(contents, { level: 9 }).length, brotli.length];
  print(name.padEnd(30), ...sizes.map(size => size.toLocaleString('en').padStart(12)));
}

function print(...columns) {
  process.stdout.write(`${columns.join(' ')}\n`);
}
