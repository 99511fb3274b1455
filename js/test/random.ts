/** A source of chance that can be repeated: print the seed, and set SEED to it. */
export interface Chance {
  readonly seed: number;
  /** Returns a whole number from 0 to below n. */
  below(n: number): number;
}

/** Returns a new source of chance (mulberry32); with a seed, always the same one. */
export function random(fixed?: number): Chance {
  const seed = fixed ?? Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 32));
  let state = seed;
  return {
    seed,
    below: n => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n);
    },
  };
}
