import { CodedError } from "@xcloudflow/model/coded-error";
import type { z } from "zod";

/** Thrown when environment variables are missing or wrong; the sentence lists all of them. */
export class ConfigInvalidError extends CodedError {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super("CONFIG_INVALID", "invalid", {
      what: problems.join("; "),
      where: "environment",
      hint: "set what is listed; each service's README names its variables",
    });
    this.problems = problems;
  }
}

/**
 * Reads a process's settings. `schema` is an object of variables by their own names (`XCF_DATABASE_URL`); an empty
 * variable counts as absent. Values are not repeated in errors, since they may be secrets.
 *
 * @param environment `process.env`, which only a `main.ts` may read.
 * @throws {ConfigInvalidError} with every problem at once.
 */
export function readConfig<T>(schema: z.ZodType<T>, environment: Environment): T {
  const [settings] = readConfigs(environment, schema);
  return settings;
}

/**
 * Reads several groups of settings, so that the problems of all of them are told together.
 *
 * @throws {ConfigInvalidError} with every problem at once.
 */
export function readConfigs<T extends readonly unknown[]>(
  environment: Environment,
  ...schemas: { readonly [K in keyof T]: z.ZodType<T[K]> }
): T;
export function readConfigs(environment: Environment, ...schemas: readonly z.ZodType[]): readonly unknown[] {
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""),
  );
  const results = schemas.map((schema) => schema.safeParse(given));
  const problems = results
    .flatMap(({ error }) => error?.issues ?? [])
    .map(({ path, message }) => {
      const name = path.join(".");
      return given[name] === undefined ? `${name} is not set` : `${name}: ${message}`;
    });
  if (problems.length > 0) throw new ConfigInvalidError([...new Set(problems)]);
  return results.map(({ data }) => data);
}

type Environment = Readonly<Record<string, string | undefined>>;
