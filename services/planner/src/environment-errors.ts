import { CodedError } from "@xcloudflow/model/coded-error";
import { nearestName } from "@xcloudflow/model/dsl/nearest";

/** Thrown when no environment is named and there is not exactly one. */
export class EnvironmentUnspecifiedError extends CodedError {
  readonly names: readonly string[];

  constructor(repository: string, names: readonly string[]) {
    super("ENVIRONMENT_UNSPECIFIED", "invalid", {
      where: repository,
      what:
        names.length === 0
          ? "this commit declares no environment"
          : `this commit has ${names.length} environments: ${names.join(", ")}`,
      hint: names.length === 0 ? "add envs/<name>/environment.yaml, or start with `xcf init`" : "choose one with --env",
    });
    this.names = names;
  }
}

/** Thrown when a named environment is not in the repository and nothing of it is applied. */
export class EnvironmentUnknownError extends CodedError {
  constructor(name: string, names: readonly string[]) {
    const nearest = nearestName(name, names);
    super("ENVIRONMENT_UNKNOWN", "notFound", {
      what: `there is no environment "${name}"`,
      hint:
        nearest === undefined
          ? names.length === 0
            ? "add envs/<name>/environment.yaml"
            : `there are ${names.join(", ")}`
          : `did you mean "${nearest}"?`,
    });
  }
}
