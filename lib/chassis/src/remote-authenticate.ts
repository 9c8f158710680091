import { create } from "@bufbuild/protobuf";
import type { Client, Transport } from "@connectrpc/connect";
import { decodeDocument, encodeDocument } from "@xcloudflow/model/parse-json";
import { type AuthenticateResponse, AuthenticateResponseSchema, TokenService } from "@xcloudflow/proto/api/v1/token_pb";
import { as, type Caller, callerSchema, serviceCaller } from "./caller.ts";
import { createCodedClient } from "./clients.ts";
import type { Authenticate } from "./edge-auth.ts";

/** What `api` answers its peers about tokens; the public edge does not serve it. */
export function createTokenClient(transport: Transport): Client<typeof TokenService> {
  return createCodedClient(TokenService, transport);
}

/** A text longer than this is no token: nobody is asked about it. */
const TOKEN_BYTES = 16_384;

/** The authentication of a service that takes tokens itself (state, over HTTP): it asks `api`. */
export function createRemoteAuthenticate(client: Client<typeof TokenService>, service: string): Authenticate {
  // Nobody's tenant is known before the answer.
  const asker = as(serviceCaller("mesh", service));
  return async (token) => {
    if (token === "" || Buffer.byteLength(token) > TOKEN_BYTES) return undefined;
    const { callerDocument } = await client.authenticate({ token }, asker);
    return callerDocument.byteLength === 0
      ? undefined
      : decodeDocument(callerSchema, callerDocument, "the caller that api answered");
  };
}

/** The answer that `createRemoteAuthenticate` reads. */
export function answerCaller(caller: Caller | undefined): AuthenticateResponse {
  return create(AuthenticateResponseSchema, caller === undefined ? {} : { callerDocument: encodeDocument(caller) });
}
