import { X509Certificate } from "node:crypto";
import { TLSSocket } from "node:tls";
import { createContextKey, createContextValues } from "@connectrpc/connect";
import { CodedError } from "@xcloudflow/model/coded-error";
import { CALLER_HEADER, type Caller, callerKey, serviceCaller } from "./caller.ts";
import { toConnectError } from "./connect-errors.ts";
import type { RequestGate } from "./edge-auth.ts";
import { readCaller } from "./internal-caller-interceptor.ts";
import { InternalError } from "./internal-error.ts";
import { callerOfPeer, type PeerIdentity, readPeerIdentity } from "./peer-identity.ts";
import { readUriNames } from "./peer-trust.ts";
import { isOpenMethod } from "./permissions.ts";
import type { AnyRequest } from "./rpc-handler.ts";

/** The URI names of the certificate at the other end; TLS has verified it before any request is read. */
const peerNamesKey = createContextKey<readonly string[]>([], { description: "names of the peer's certificate" });

const namesOf = new WeakMap<object, readonly string[]>();

/** Context values of a request: who is at the other end of its connection. Read once a connection. */
export function peerContextValues(request: AnyRequest) {
  const socket = "stream" in request ? (request.stream.session?.socket ?? request.socket) : request.socket;
  const connection: object = "stream" in request ? (request.stream.session ?? socket) : socket;
  const known = namesOf.get(connection) ?? namesOfPeer(socket);
  namesOf.set(connection, known);
  return createContextValues().set(peerNamesKey, known);
}

function namesOfPeer(socket: unknown): readonly string[] {
  const raw = socket instanceof TLSSocket || hasPeer(socket) ? socket.getPeerCertificate().raw : undefined;
  return raw === undefined ? [] : readUriNames(new X509Certificate(raw).subjectAltName ?? "");
}

/** An HTTP/2 session hands out its socket behind a proxy that is no instance of its class. */
function hasPeer(socket: unknown): socket is Pick<TLSSocket, "getPeerCertificate"> {
  return typeof socket === "object" && socket !== null && "getPeerCertificate" in socket;
}

/**
 * The gate of a mesh member: the certificate says who asks, and so in whose name a call may be made. Health needs no
 * name, and reflection answers whoever is a service.
 */
export function meshGate(trustDomain: string): RequestGate {
  return async (context) => {
    try {
      const peer = readPeerIdentity(context.values.get(peerNamesKey), trustDomain);
      if (isOpenMethod(context.method)) return;
      const header = context.requestHeader.get(CALLER_HEADER);
      const claimed = header === null ? ownName(peer, context.service.typeName) : readCaller(header, context.url);
      context.values.set(callerKey, callerOfPeer(peer, claimed));
    } catch (reason) {
      throw toConnectError(reason instanceof CodedError ? reason : new InternalError("the peer's certificate", reason));
    }
  };
}

/** grpcurl and its like name nobody, and reflection has nothing of any tenant. */
function ownName(peer: PeerIdentity, service: string): Caller | undefined {
  const reflects = service.startsWith("grpc.reflection.");
  return reflects && peer.kind === "service" ? serviceCaller("mesh", peer.name) : undefined;
}
