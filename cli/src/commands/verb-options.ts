import { InvalidArgumentError, Option } from "commander";
import type { ExitCode } from "../exit-code.ts";
import type { Surroundings } from "../surroundings.ts";

/** What a verb does once its words are understood. */
export type Action = (surroundings: Surroundings) => Promise<ExitCode>;

/** Called by the one verb that was named. */
export type Choose = (options: { readonly output?: string }, action: Action) => void;

export const output = (...choices: string[]): Option =>
  new Option("-o, --output <format>", "how to print the result").choices(["text", "json", ...choices]);

export const server = (): Option =>
  new Option("--server <url>", "a mesh instead of the embedded control plane (XCF_SERVER)");

/** For an option that may be given several times. */
export function many(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

export function count(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError("a whole number is wanted");
  return Number(value);
}

export function port(value: string): number {
  const number = count(value);
  if (number > 65_535) throw new InvalidArgumentError("ports end at 65535");
  return number;
}

/** RFC 3339 with a time zone, as in `2026-11-24T09:00:00Z`; a date alone is its first moment in UTC. */
export function time(value: string): string {
  const written = /^\d{4}-\d{2}-\d{2}$/.test(value) ? `${value}T00:00:00Z` : value;
  const at = new Date(written);
  if (!/^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:\d{2})$/i.test(written) || Number.isNaN(at.getTime()))
    throw new InvalidArgumentError("a time is written as 2026-11-24T09:00:00Z");
  return at.toISOString();
}
