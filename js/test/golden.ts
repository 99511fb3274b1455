import { readFileSync } from 'node:fs';

/** The frames that both halves of the protocol must agree on, by name (wasm/frame writes them). */
export const golden: ReadonlyMap<string, Uint8Array> = new Map(
  readFileSync(new URL('../../wasm/frame/testdata/frames.txt', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => {
      const [name = '', hex = ''] = line.split(' ');
      return [name, Uint8Array.from(Buffer.from(hex, 'hex'))];
    }),
);
