import type { Interceptor } from "@connectrpc/connect";
import type { Clock } from "./clock.ts";
import { errorInterceptor } from "./error-interceptor.ts";
import { internalCallerInterceptor } from "./internal-caller-interceptor.ts";
import type { Logger } from "./logger.ts";
import { loggingInterceptor } from "./logging-interceptor.ts";
import { permissionInterceptor } from "./permission-interceptor.ts";
import { serverTracingInterceptor } from "./tracing-interceptor.ts";
import { validateInterceptor } from "./validate-interceptor.ts";

export interface InterceptorOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly newReference: () => string;
}

/** For services behind an internal transport: the caller is who the calling service says. Outermost first. */
export function internalInterceptors({ logger, clock, newReference }: InterceptorOptions): Interceptor[] {
  return [
    serverTracingInterceptor({ roots: false }),
    loggingInterceptor(logger, clock),
    errorInterceptor({ logger, newReference }),
    internalCallerInterceptor(),
    permissionInterceptor(),
    validateInterceptor(),
  ];
}

/** For what `serveRoutes` serves to the outside: the caller has been set by `edgeAuthGate` before. Outermost first. */
export function edgeInterceptors({ logger, clock, newReference }: InterceptorOptions): Interceptor[] {
  return [
    serverTracingInterceptor({ roots: true }),
    loggingInterceptor(logger, clock),
    errorInterceptor({ logger, newReference }),
    permissionInterceptor(),
    validateInterceptor(),
  ];
}
