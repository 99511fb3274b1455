import { brotliCompressSync } from 'node:zlib';

import { build } from 'esbuild';
import { expect, test } from 'vitest';

test('what a page loads at first stays within 15 KB', async () => {
  const { outputFiles } = await build({
    entryPoints: [new URL('../src/mod.ts', import.meta.url).pathname],
    bundle: true,
    minify: true,
    splitting: true,
    format: 'esm',
    outdir: 'out',
    write: false,
    external: ['./wasm-exec.js'],
  });
  // The entry and what it imports at once; hosts that few pages need are loaded by those.
  const entry = outputFiles.find(({ path }) => path.endsWith('/mod.js'));
  const first = outputFiles.filter(({ path }) => path === entry?.path || isImported(entry?.text ?? '', path));
  const bytes = first.reduce((sum, { contents }) => sum + brotliCompressSync(contents).length, 0);
  expect(bytes).toBeGreaterThan(1000);
  expect(bytes).toBeLessThanOrEqual(15 << 10);
});

/** Whether the entry imports a chunk statically. */
function isImported(entry: string, chunk: string): boolean {
  return entry.includes(`from"./${chunk.slice(chunk.lastIndexOf('/') + 1)}"`);
}
