import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type CodedError, ERROR_CATEGORIES, type ErrorCategory } from "@xcloudflow/model/coded-error";
import { type Problem, ProblemsFoundError } from "@xcloudflow/model/problems-found-error";
import { RemoteError } from "@xcloudflow/model/remote-error";
import { type ErrorDetail, ErrorDetailSchema, ProblemSchema } from "@xcloudflow/proto/common/v1/common_pb";
import { z } from "zod";
import { encodeBadRequest, encodeErrorInfo, encodeRetryInfo, violationOf } from "./google-rpc-details.ts";
import { RateExceededError } from "./rate-exceeded-error.ts";
import { RequestInvalidError } from "./request-invalid-error.ts";

/** The only place where a category becomes a status code. Several categories share a code; `ErrorDetail` tells them apart. */
const CODE_OF: Readonly<Record<ErrorCategory, Code>> = {
  invalid: Code.InvalidArgument,
  notFound: Code.NotFound,
  alreadyExists: Code.AlreadyExists,
  unauthenticated: Code.Unauthenticated,
  forbidden: Code.PermissionDenied,
  denied: Code.FailedPrecondition,
  waiting: Code.FailedPrecondition,
  stale: Code.FailedPrecondition,
  conflict: Code.Aborted,
  exhausted: Code.ResourceExhausted,
  unavailable: Code.Unavailable,
  timeout: Code.DeadlineExceeded,
  canceled: Code.Canceled,
  dataLoss: Code.DataLoss,
  internal: Code.Internal,
};

const CATEGORY_OF: Readonly<Record<Code, ErrorCategory>> = {
  [Code.Canceled]: "canceled",
  [Code.Unknown]: "internal",
  [Code.InvalidArgument]: "invalid",
  [Code.DeadlineExceeded]: "timeout",
  [Code.NotFound]: "notFound",
  [Code.AlreadyExists]: "alreadyExists",
  [Code.PermissionDenied]: "forbidden",
  [Code.ResourceExhausted]: "exhausted",
  [Code.FailedPrecondition]: "stale",
  [Code.Aborted]: "conflict",
  [Code.OutOfRange]: "invalid",
  [Code.Unimplemented]: "internal",
  [Code.Internal]: "internal",
  [Code.Unavailable]: "unavailable",
  [Code.DataLoss]: "dataLoss",
  [Code.Unauthenticated]: "unauthenticated",
};

const categorySchema = z.enum(ERROR_CATEGORIES);

export function codeOf(category: ErrorCategory): Code {
  return CODE_OF[category];
}

/** The message of common.v1 that carries an error; also kept in rows and answers (`Run.failure`). */
export function errorDetailOf(error: CodedError): ErrorDetail {
  return create(ErrorDetailSchema, {
    code: error.code,
    what: error.what,
    where: error.where ?? "",
    hint: error.hint ?? "",
    category: error.category,
  });
}

/**
 * What a server sends for an error it raised on purpose: common.v1.ErrorDetail, google.rpc.ErrorInfo, and for problems
 * in files common.v1.Problem each and one google.rpc.BadRequest. The cause stays here.
 *
 * @param maxDetailBytes details beyond this many bytes are left out, last first: over gRPC they travel in a trailer,
 *   and clients refuse trailers past their header limit (8 KiB is what the gRPC specification lets one rely on).
 */
export function toConnectError(error: CodedError, maxDetailBytes = Number.POSITIVE_INFINITY): ConnectError {
  const converted = new ConnectError(error.message, codeOf(error.category), undefined, undefined, error);
  converted.details.push({ desc: ErrorDetailSchema, value: errorDetailOf(error) });
  converted.details.push(encodeErrorInfo(error.code, errorMetadata(error)));
  if (error instanceof ProblemsFoundError) addProblems(converted, error.problems, maxDetailBytes);
  if (error instanceof RateExceededError) {
    converted.details.push(encodeRetryInfo(error.retryAfterMs));
    converted.metadata.set("retry-after", String(Math.ceil(error.retryAfterMs / 1_000)));
  }
  if (error instanceof RequestInvalidError) converted.details.push(encodeBadRequest(error.violations));
  return converted;
}

/** The error a client throws: the other side's own code, category and words, whatever protocol carried them. */
export function fromConnectError(error: ConnectError): CodedError {
  const [detail] = error.findDetails(ErrorDetailSchema);
  const problems = error.findDetails(ProblemSchema);
  if (problems.length > 0) {
    return new ProblemsFoundError(
      problems.map(({ file, line, column, code, message, hint, severity }) => ({
        file,
        line,
        col: column,
        code,
        message,
        hint: hint === "" ? undefined : hint,
        severity: severity === "warning" ? "warning" : "error",
      })),
      detail?.where === "" ? undefined : detail?.where,
      detail?.what,
    );
  }
  if (detail !== undefined) return remoteErrorOf(detail, error);
  return new RemoteError(`RPC_${upperSnake(Code[error.code] ?? "Unknown")}`, CATEGORY_OF[error.code], {
    what: error.rawMessage === "" ? `the call failed (${Code[error.code] ?? error.code})` : error.rawMessage,
    hint: hintOf(error.code),
    cause: error,
  });
}

/** An `ErrorDetail` read back, from an answer or a row. */
export function remoteErrorOf(detail: ErrorDetail, cause?: unknown): RemoteError {
  const category = categorySchema.safeParse(detail.category);
  return new RemoteError(detail.code, category.success ? category.data : "internal", {
    what: detail.what,
    where: detail.where === "" ? undefined : detail.where,
    hint: detail.hint === "" ? undefined : detail.hint,
    cause,
  });
}

function errorMetadata({ category, where, hint }: CodedError): Record<string, string> {
  return { category, ...(where === undefined ? {} : { where }), ...(hint === undefined ? {} : { hint }) };
}

function addProblems(error: ConnectError, problems: readonly Problem[], maxBytes: number): void {
  let room = maxBytes;
  const sent = problems.filter((problem) => {
    // Twice the text: each problem is sent as a Problem and as a FieldViolation.
    room -= 64 + 2 * (problem.file.length + problem.message.length + problem.code.length) + (problem.hint?.length ?? 0);
    return room > 0;
  });
  for (const { file, line, col, code, message, hint, severity } of sent) {
    error.details.push({
      desc: ProblemSchema,
      value: { file, line, column: col, code, message, hint: hint ?? "", severity },
    });
  }
  error.details.push(encodeBadRequest(sent.map(violationOf)));
}

function hintOf(code: Code): string | undefined {
  if (code === Code.Unavailable) return "check that the control plane is running and reachable, then try again";
  if (code === Code.Unauthenticated) return "send a token of this control plane: authorization: Bearer …";
  if (code === Code.Unimplemented) return "client and server are of different versions";
  return undefined;
}

function upperSnake(name: string): string {
  return name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}
