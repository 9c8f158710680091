import { z } from "zod";

const DURATION_PATTERN = /^(?=\d)(?:(\d{1,5})w)?(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,5})s)?$/;

/** A length of time as people write it: `6h`, `15m`, `1h30m`, `90s`, `7d`, `2w`; units in falling order, each once. */
export const durationSchema = z
  .string()
  .regex(DURATION_PATTERN, "must be a duration such as 90s, 15m, 6h, 1h30m or 7d")
  .refine((text) => durationSeconds(text) !== 0, "must be longer than nothing");
export type Duration = string;

const UNIT_SECONDS = [604_800, 86_400, 3_600, 60, 1] as const;

/** Seconds of a duration, or undefined when `text` is not one. */
export function durationSeconds(text: string): number | undefined {
  const match = DURATION_PATTERN.exec(text);
  if (match === null) return undefined;
  return UNIT_SECONDS.reduce((total, seconds, index) => total + seconds * Number(match[index + 1] ?? 0), 0);
}

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
] as const;

/** The shortest spelling, without weeks: 21600 → `6h`, 5400 → `1h30m`, 0 → `0s`. */
export function formatDuration(seconds: number): Duration {
  let rest = Math.round(seconds);
  let text = "";
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) text += `${count}${unit}`;
  }
  return text === "" ? "0s" : text;
}
