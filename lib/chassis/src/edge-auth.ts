import type { HandlerContext } from "@connectrpc/connect";
import { CodedError } from "@xcloudflow/model/coded-error";
import { CALLER_HEADER, type Caller, callerKey } from "./caller.ts";
import { toConnectError } from "./connect-errors.ts";
import { InternalError } from "./internal-error.ts";
import { isOpenMethod } from "./permissions.ts";

/** Answers who a token stands for, or `undefined` when it is unknown, expired or revoked. */
export type Authenticate = (token: string) => Promise<Caller | undefined>;

/** Thrown when a call from outside carries no token, or one that is not valid (any more). */
export class TokenRefusedError extends CodedError {
  constructor(kind: "missing" | "invalid") {
    super(kind === "missing" ? "TOKEN_MISSING" : "TOKEN_INVALID", "unauthenticated", {
      what: kind === "missing" ? "the call carries no API token" : "the API token is unknown, expired or revoked",
      hint: "send `authorization: Bearer <token>`; `xcf token create` makes one",
    });
  }
}

/** A gate of Connect: runs when the headers of a call are there and before its body is read. */
export type RequestGate = (context: HandlerContext) => Promise<void>;

/**
 * The edge's authentication. It removes the header that services believe, so that nobody outside can claim to be
 * somebody, and sets the caller from the bearer token. Health needs no token; every other call does.
 */
export function edgeAuthGate(authenticate: Authenticate): RequestGate {
  return async (context) => {
    context.requestHeader.delete(CALLER_HEADER);
    if (isOpenMethod(context.method)) return;
    const token = bearerToken(context.requestHeader.get("authorization"));
    if (token === undefined) throw toConnectError(new TokenRefusedError("missing"));
    const caller = await authenticate(token).catch(refuse);
    if (caller === undefined) throw toConnectError(new TokenRefusedError("invalid"));
    context.values.set(callerKey, caller);
  };
}

/** A gate runs outside the interceptors, so it converts what it throws itself. */
function refuse(reason: unknown): never {
  throw toConnectError(reason instanceof CodedError ? reason : new InternalError("authentication", reason));
}

/** The token of an `Authorization: Bearer` header (RFC 6750; the scheme's name is case-insensitive). */
export function bearerToken(header: string | null | undefined): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(header ?? "")?.[1];
}

/** The password of an `Authorization: Basic` header (RFC 7617); the user's name does not matter. */
export function basicPassword(header: string | null | undefined): string | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/]+=*) *$/i.exec(header ?? "")?.[1];
  if (encoded === undefined) return undefined;
  const pair = Buffer.from(encoded, "base64").toString("utf8");
  const colon = pair.indexOf(":");
  return colon < 0 ? undefined : pair.slice(colon + 1);
}
