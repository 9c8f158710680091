import type { Interceptor } from "@connectrpc/connect";
import { CodedError } from "@xcloudflow/model/coded-error";
import { CALLER_HEADER, type Caller, callerKey, callerSchema } from "./caller.ts";

/** Thrown when a call inside the mesh does not say on whose behalf it is made. */
export class CallerMissingError extends CodedError {
  constructor(url: string, cause?: unknown) {
    super("CALLER_MISSING", "unauthenticated", {
      what: `the call to ${url} names no caller`,
      hint: "internal calls are made with `as(caller)`",
      cause,
    });
  }
}

/** Believes the caller header. For transports that only services can reach: in memory, or with mutual TLS. */
export function internalCallerInterceptor(): Interceptor {
  return (next) => async (request) => {
    request.contextValues.set(callerKey, readCaller(request.header.get(CALLER_HEADER), request.url));
    return next(request);
  };
}

/** @throws {CallerMissingError} when the header is absent or not a caller. */
export function readCaller(header: string | null, url: string): Caller {
  if (header === null) throw new CallerMissingError(url);
  try {
    return callerSchema.parse(JSON.parse(Buffer.from(header, "base64url").toString("utf8")));
  } catch (cause) {
    throw new CallerMissingError(url, cause);
  }
}
