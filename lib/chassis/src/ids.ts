import type { Clock } from "./clock.ts";
import type { Random } from "./random.ts";

/** The seam for names of new things. */
export interface Ids {
  /** A new id such as `cs_06e8h2jqk3…`: the prefix, `_`, and 26 lower-case letters and digits that sort by time. */
  next(prefix: string): string;
}

/** Crockford's base 32, lower-case: no i, l, o or u, so that an id read aloud is typed back right. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const TIME_DIGITS = 10;
const RANDOM_DIGITS = 16;

/**
 * Ids in ULID's layout: 48 bits of milliseconds, 80 random bits. Two ids of one process in the same millisecond still sort
 * in the order they were made, because the random part is then counted up by one.
 */
export function createIds(clock: Clock, random: Random): Ids {
  let lastTime = -1;
  let tail: number[] = [];
  return {
    next(prefix) {
      const time = Math.max(clock.now().getTime(), lastTime);
      if (time > lastTime) {
        tail = Array.from({ length: RANDOM_DIGITS }, () => random.integer(ALPHABET.length));
        lastTime = time;
      } else {
        countUp(tail);
      }
      return `${prefix}_${encode(time)}${tail.map(digit).join("")}`;
    },
  };
}

/** Counts 1, 2, 3 … for each prefix: for simulations and tests whose output is compared. */
export function createSequentialIds(): Ids {
  const counts = new Map<string, number>();
  return {
    next(prefix) {
      const count = (counts.get(prefix) ?? 0) + 1;
      counts.set(prefix, count);
      return `${prefix}_${String(count).padStart(TIME_DIGITS + RANDOM_DIGITS, "0")}`;
    },
  };
}

function countUp(digits: number[]): void {
  for (let place = digits.length - 1; place >= 0; place--) {
    const value = ((digits[place] ?? 0) + 1) % ALPHABET.length;
    digits[place] = value;
    if (value !== 0) return;
  }
}

function encode(time: number): string {
  let rest = time;
  let text = "";
  for (let place = 0; place < TIME_DIGITS; place++) {
    text = digit(rest % ALPHABET.length) + text;
    rest = Math.floor(rest / ALPHABET.length);
  }
  return text;
}

function digit(value: number): string {
  return ALPHABET.charAt(value);
}
