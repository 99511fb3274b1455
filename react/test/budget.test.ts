// @vitest-environment node
import { brotliCompressSync } from 'node:zlib';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const BUDGET_BYTES = 3 * 1024;

test('the hooks are at most 3 KB, minified and compressed, beside React and the client', async () => {
  const result = await build({
    entryPoints: [new URL('../src/mod.ts', import.meta.url).pathname],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    external: ['react', '@ankurah-go/client'],
    write: false,
    metafile: true,
    logLevel: 'error',
  });
  const [bundle] = result.outputFiles;
  expect(brotliCompressSync(bundle!.contents).byteLength).toBeLessThanOrEqual(BUDGET_BYTES);
});
