import { randomBytes } from "node:crypto";

/** The seam for chance: jitter, ids, sampling. Never used for keys or tokens, which come from node:crypto. */
export interface Random {
  /** At least 0, less than 1. */
  float(): number;
  /** A whole number of at least 0 and less than `below`. */
  integer(below: number): number;
}

export function createSystemRandom(): Random {
  return fromFloats(() => randomBytes(6).readUIntBE(0, 6) / 2 ** 48);
}

/** The same seed gives the same sequence on every machine (mulberry32, public domain, by Tommy Ettinger). */
export function createSeededRandom(seed: number): Random {
  let state = seed >>> 0;
  return fromFloats(() => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  });
}

function fromFloats(float: () => number): Random {
  return { float, integer: (below) => Math.floor(float() * below) };
}
