import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { CodedError } from "@xcloudflow/model/coded-error";
import { type Clock, pause } from "./clock.ts";
import { MESH_SERVICES, type MeshService } from "./peer-identity.ts";
import { isTrustProblem, PeerUntrustedError, verifyService } from "./peer-trust.ts";
import { MESSAGE_BYTES } from "./rpc-handler.ts";
import type { TlsMaterial } from "./tls-files.ts";

/** Where each service can be reached: one or more `https://host:port` a service. */
export type MeshPlaces = Readonly<Partial<Record<MeshService, readonly string[]>>>;

export interface MeshTransportOptions {
  readonly places: MeshPlaces;
  readonly tls: TlsMaterial;
  readonly clock: Clock;
}

/** Thrown when a process calls a service whose address its configuration does not give. */
export class ServicePlaceMissingError extends CodedError {
  constructor(service: string) {
    super("SERVICE_PLACE_MISSING", "internal", {
      what: `this process does not know where ${service} is`,
      where: `XCF_${service.toUpperCase()}_URL`,
      hint: "set the variable to https://host:port of the service",
    });
  }
}

const PING_MS = 15_000;
const FIRST_PAUSE_MS = 50;
/** Beyond every address once: a service with one address (a virtual one) may have several replicas behind it. */
const MORE_TRIES = 3;

/**
 * gRPC to whichever service a method belongs to, each side showing its certificate. Calls go round the service's
 * addresses; a unary call whose connection failed is made again at the next one, which is safe because every call inside
 * the mesh may be made twice: answers are the same, and writes are fenced or keyed.
 */
export function createMeshTransport({ places, tls, clock }: MeshTransportOptions): Transport {
  const transports = new Map<string, readonly Transport[]>();
  let turn = 0;

  function transportsOf(method: DescMethod): readonly Transport[] {
    const service = serviceName(method);
    const known = transports.get(service);
    if (known !== undefined) return known;
    const member = MESH_SERVICES.find((name) => name === service);
    const urls = member === undefined ? [] : (places[member] ?? []);
    if (member === undefined || urls.length === 0) throw new ServicePlaceMissingError(service);
    const made = urls.map((baseUrl) =>
      createGrpcTransport({
        baseUrl,
        nodeOptions: { ...tls, minVersion: "TLSv1.3", checkServerIdentity: verifyService(member) },
        pingIntervalMs: PING_MS,
        readMaxBytes: MESSAGE_BYTES,
        writeMaxBytes: MESSAGE_BYTES,
      }),
    );
    transports.set(service, made);
    return made;
  }

  function next(all: readonly Transport[]): Transport {
    turn = (turn + 1) % 1_000_000;
    const chosen = all[turn % all.length];
    if (chosen === undefined) throw new Error("a service has at least one address");
    return chosen;
  }

  return {
    async unary(method, signal, timeoutMs, header, message, contextValues) {
      const all = transportsOf(method);
      let resets = 0;
      for (let tries = 1; ; tries += 1) {
        try {
          return await next(all).unary(method, signal, timeoutMs, header, message, contextValues);
        } catch (error) {
          if (!isConnectionLost(error, signal)) throw error;
          resets += isReset(error) ? 1 : 0;
          const most = isTrustProblem(error) ? all.length : all.length + MORE_TRIES;
          // TLS 1.3 refuses a client's certificate after the handshake, and the alert may get lost in the hanging up.
          if (tries >= most) throw resets === tries ? new PeerUntrustedError(serviceName(method)) : lost(method, error);
          await pause(clock, tries < all.length ? 0 : FIRST_PAUSE_MS * 2 ** (tries - all.length));
        }
      }
    },
    async stream(method, signal, timeoutMs, header, input, contextValues) {
      const explain = (error: unknown): unknown => (isConnectionLost(error, signal) ? lost(method, error) : error);
      try {
        const transport = next(transportsOf(method));
        const response = await transport.stream(method, signal, timeoutMs, header, input, contextValues);
        return { ...response, message: explained(response.message, explain) };
      } catch (error) {
        throw explain(error);
      }
    },
  };
}

async function* explained<T>(messages: AsyncIterable<T>, explain: (error: unknown) => unknown): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw explain(error);
  }
}

/** `xcloudflow.planner.v1.PlannerService` belongs to `planner`. */
function serviceName({ parent }: DescMethod): string {
  return parent.typeName.split(".")[1] ?? parent.typeName;
}

const CONNECTION_CODES: ReadonlySet<Code> = new Set([Code.Unavailable, Code.Aborted, Code.Internal]);
/** An answer that ends before its trailers: whoever sent it is gone. */
const CUT_OFF = /^protocol error: missing (?:status|output message)/;

/**
 * What a member answers came over the wire and carries details of its own. What HTTP/2 and TLS say when a peer dies is made
 * up on this side, with one of many codes; what this side says against a message that it cannot read is neither.
 */
export function isConnectionLost(error: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted === true || !(error instanceof ConnectError) || error.details.length > 0) return false;
  const broke = error.cause !== undefined || error.rawMessage.startsWith("http/2 stream closed");
  return isReset(error) || (broke && CONNECTION_CODES.has(error.code)) || CUT_OFF.test(error.rawMessage);
}

/** A connection that ends under a call resets it, which Connect takes for a cancelation; ours would be in the signal. */
function isReset(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.Canceled;
}

function lost(method: DescMethod, cause: unknown): Error {
  return isTrustProblem(cause) ? new PeerUntrustedError(serviceName(method), cause) : unreachable(method, cause);
}

function unreachable(method: DescMethod, cause: unknown): ConnectError {
  return new ConnectError(`${serviceName(method)} cannot be reached`, Code.Unavailable, undefined, undefined, cause);
}
