import { ConnectError } from "@connectrpc/connect";
import { fromConnectError } from "@xcloudflow/chassis/connect-errors";
import { CodedError } from "@xcloudflow/model/coded-error";
import { formatProblem, ProblemsFoundError } from "@xcloudflow/model/problems-found-error";
import type { RunFailure } from "./run-request.ts";

/** Any error as a coded one: a remote one keeps its words, an unexpected one is named as such and keeps its cause. */
export function codedErrorOf(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  if (error instanceof ConnectError) return fromConnectError(error);
  const message = error instanceof Error ? error.message : String(error);
  return new CodedError("UNEXPECTED", "internal", {
    what: `an unexpected error: ${message}`,
    hint: "this is a defect; please report it",
    cause: error,
  });
}

/** An error as the record keeps it; problems in files are all kept, one a line. */
export function describeFailure(error: unknown): RunFailure {
  const coded = codedErrorOf(error);
  return {
    code: coded.code,
    category: coded.category,
    message: coded instanceof ProblemsFoundError ? coded.problems.map(formatProblem).join("\n") : coded.what,
    ...(coded.where === undefined ? {} : { where: coded.where }),
    ...(coded.hint === undefined ? {} : { hint: coded.hint }),
  };
}

/** An answer that will be the same when asked again ends the run; a service that is away is asked again later. */
export function isFinal(error: unknown): boolean {
  const { category, code } = codedErrorOf(error);
  // A program that is not installed is no outage: a person has to act before asking again can help.
  if (code.endsWith("_MISSING")) return true;
  return category !== "unavailable" && category !== "timeout";
}
