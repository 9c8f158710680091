import type { Interceptor } from "@connectrpc/connect";
import { callerKey } from "./caller.ts";
import { TokenRefusedError } from "./edge-auth.ts";
import { checkPermission, checkRequest, isOpenMethod } from "./permissions.ts";

/** Holds every call to the permission its method is annotated with; a method without one is refused to everybody. */
export function permissionInterceptor(): Interceptor {
  return (next) => async (request) => {
    if (isOpenMethod(request.method)) return next(request);
    const caller = request.contextValues.get(callerKey);
    if (caller === undefined) throw new TokenRefusedError("missing");
    checkPermission(caller, request.method);
    if (!request.stream) checkRequest(caller, request.message);
    return next(request);
  };
}
