import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { callerKey } from "./caller.ts";
import type { Clock } from "./clock.ts";
import type { Logger } from "./logger.ts";

/** One line a call: method, caller, outcome, milliseconds. A stream's line is written at its end. Never a message's content. */
export function loggingInterceptor(logger: Logger, clock: Clock): Interceptor {
  return (next) => async (request) => {
    const started = clock.now().getTime();
    const finish = (reason?: unknown): void => {
      const caller = request.contextValues.get(callerKey);
      logger.debug("call", {
        method: `${request.service.typeName}/${request.method.name}`,
        tenant: caller?.tenant,
        subject: caller?.subject,
        code: reason === undefined ? "Ok" : (Code[ConnectError.from(reason).code] ?? "Unknown"),
        milliseconds: clock.now().getTime() - started,
      });
    };
    try {
      const response = await next(request);
      if (response.stream) return { ...response, message: finishing(response.message, finish) };
      finish();
      return response;
    } catch (reason) {
      finish(reason);
      throw reason;
    }
  };
}

async function* finishing<T>(messages: AsyncIterable<T>, finish: (reason?: unknown) => void): AsyncGenerator<T> {
  let failure: unknown;
  try {
    yield* messages;
  } catch (reason) {
    failure = reason;
    throw reason;
  } finally {
    finish(failure);
  }
}
