import { brotliCompressSync } from 'node:zlib';

import { build } from 'esbuild';
import { expect, test } from 'vitest';

const source = (name: string): string => new URL(`../src/${name}`, import.meta.url).pathname;

/** What is loaded when it is needed, each by an import of its own. */
const later = ['./page-host.ts', './tab-host.ts', './inspection.ts'];

/** Bundles a module as an application's build does, and returns its compressed size in bytes. */
async function sizeOf(contents: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: source('') },
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
    external: [...later, './wasm-exec.js'],
  });
  return outputFiles.reduce((sum, file) => sum + brotliCompressSync(file.contents).length, 0);
}

test('what a page loads at first stays within 15 KB', async () => {
  const page = `export { and, ClientError, createClient, defineModel, f, not, or, queryKey } from '${source('mod.ts')}'`;
  const bytes = await sizeOf(page);
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThanOrEqual(15 << 10);
});

test('what few pages ask for is left out until then', async () => {
  for (const name of later) expect(await sizeOf(`export * from '${source(name)}'`)).toBeLessThan(5 << 10);
});

test('a page pays for aggregates that it names only', async () => {
  const [some, all] = [await sizeOf(`export { createClient } from '${source('mod.ts')}'`), await sizeOf(`export * from '${source('mod.ts')}'`)];
  expect(all - some).toBeGreaterThan(50);
  expect(all).toBeLessThanOrEqual(16 << 10);
});
