import type { IncomingMessage, ServerResponse } from "node:http";
import { DatabaseUnavailableError } from "@xcloudflow/database/database-errors";
import { CodedError, type ErrorCategory } from "@xcloudflow/model/coded-error";
import type { StateContext } from "./state-context.ts";
import { FencePassedError, StateLockHeldError, UploadTooLargeError } from "./state-errors.ts";

/**
 * Statuses that mean something to terraform: 423 with the holder's LockInfo, 401 and 403. Any other failure of a write
 * makes it save `errored.tfstate`; what is not worth repeating is below 500, because its client repeats the rest.
 */
const STATUS: Readonly<Record<ErrorCategory, number>> = {
  invalid: 400,
  notFound: 404,
  alreadyExists: 409,
  unauthenticated: 401,
  forbidden: 403,
  denied: 409,
  waiting: 409,
  stale: 409,
  conflict: 409,
  exhausted: 429,
  unavailable: 503,
  timeout: 408,
  canceled: 499,
  dataLoss: 500,
  internal: 500,
};

/** Answers an error in JSON, or breaks the connection when part of another answer is out already. */
export function writeFailure(
  { logger }: StateContext,
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
): void {
  const call = { method: request.method, path: request.url?.split("?")[0] };
  if (!(error instanceof CodedError) || error.category === "internal" || error.category === "dataLoss") {
    logger.error("state backend request failed", { ...call, error });
  }
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const status = error instanceof CodedError ? statusOf(error) : 500;
  // What was not read of the body would be taken for the next request.
  if (!request.complete) response.setHeader("Connection", "close");
  if (status === 401) response.setHeader("WWW-Authenticate", 'Basic realm="XCloudFlow state", charset="UTF-8"');
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(error instanceof StateLockHeldError ? error.lock.info : JSON.stringify(bodyOf(error)));
}

function statusOf(error: CodedError): number {
  if (error instanceof StateLockHeldError) return 423;
  if (error instanceof FencePassedError) return 412;
  if (error instanceof UploadTooLargeError) return 413;
  if (error instanceof DatabaseUnavailableError && error.problem === "full") return 507;
  return STATUS[error.category];
}

function bodyOf(error: unknown): Readonly<Record<string, string | undefined>> {
  if (!(error instanceof CodedError)) return { code: "INTERNAL", what: "the state service failed; its log says why" };
  const { code, what, where, hint } = error;
  return { code, what, where, hint };
}
