import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { CodedError } from "@xcloudflow/model/coded-error";
import { fromConnectError, toConnectError } from "./connect-errors.ts";
import { InternalError } from "./internal-error.ts";
import type { Logger } from "./logger.ts";

export interface ErrorInterceptorOptions {
  readonly logger: Logger;
  /** A short id that is unique enough to be found in the log. */
  readonly newReference: () => string;
}

/** Details that gRPC puts into a trailer must fit the header limit of common clients (8 KiB in all). */
const GRPC_DETAIL_BYTES = 3000;

/**
 * Turns what a handler throws into what a client may see. An error raised on purpose travels with all its words; anything
 * else is logged here and reaches the client as a reference only, so that no stack, query or path leaks.
 */
export function errorInterceptor(options: ErrorInterceptorOptions): Interceptor {
  return (next) => async (request) => {
    const convert = (reason: unknown): ConnectError => toWireError(reason, request, options);
    try {
      const response = await next(request);
      return response.stream ? { ...response, message: converting(response.message, convert) } : response;
    } catch (reason) {
      throw convert(reason);
    }
  };
}

interface Call {
  readonly header: Headers;
  readonly signal: AbortSignal;
  readonly url: string;
}

function toWireError(reason: unknown, call: Call, { logger, newReference }: ErrorInterceptorOptions): ConnectError {
  const room = isGrpc(call.header) ? GRPC_DETAIL_BYTES : Number.POSITIVE_INFINITY;
  if (reason instanceof CodedError) {
    if (reason.category === "internal") logger.error("call failed", { url: call.url, error: reason });
    return toConnectError(reason, room);
  }
  if (reason instanceof ConnectError) return withDetail(reason, room);
  if (call.signal.aborted) return withDetail(abortError(call.signal.reason), room);
  const error = new InternalError(newReference(), reason);
  logger.error("call failed unexpectedly", { url: call.url, reference: error.reference, error: reason });
  return toConnectError(error, room);
}

function abortError(reason: unknown): ConnectError {
  return reason instanceof ConnectError ? reason : new ConnectError("the call was canceled", Code.Canceled);
}

/** Errors of Connect itself, and of calls this handler made to others, in the one form clients know. */
function withDetail(error: ConnectError, room: number): ConnectError {
  const converted = toConnectError(fromConnectError(error), room);
  return Object.assign(new ConnectError(converted.rawMessage, error.code, undefined, undefined, error), {
    details: converted.details,
  });
}

function isGrpc(header: Headers): boolean {
  const type = header.get("content-type") ?? "";
  return type.startsWith("application/grpc") && !type.startsWith("application/grpc-web");
}

async function* converting<T>(
  messages: AsyncIterable<T>,
  convert: (reason: unknown) => ConnectError,
): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (reason) {
    throw convert(reason);
  }
}
