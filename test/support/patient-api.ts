import { setTimeout as pause } from "node:timers/promises";
import { type Client, Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createApiClient } from "@xcloudflow/chassis/clients";
import type { ApiService } from "@xcloudflow/proto/api/v1/api_pb";

/** The public edge as a client that does not give up at once: it goes from replica to replica while they are away. */
export interface PatientApi {
  readonly client: Client<typeof ApiService>;
  /** What was met on the way and asked again: every message once, with how often. */
  readonly setbacks: ReadonlyMap<string, number>;
  close(): void;
}

const PATIENCE_MS = 60_000;
/** A replica that is frozen answers nothing at all. */
const ANSWER_MS = 5_000;
const PAUSE_MS = 100;
const AWAY: ReadonlySet<Code> = new Set([Code.Unavailable, Code.DeadlineExceeded, Code.Canceled, Code.Aborted]);

/** Only for calls that may be made twice; a run is started with a key. */
export function createPatientApi(urls: readonly string[]): PatientApi {
  const transports = urls.map((baseUrl) => createGrpcTransport({ baseUrl }));
  const setbacks = new Map<string, number>();
  const closing = new AbortController();
  let turn = 0;
  const transport: Transport = {
    async unary(method, signal, timeoutMs, header, message, contextValues) {
      const deadline = Date.now() + PATIENCE_MS;
      for (;;) {
        const next = transports[turn++ % transports.length];
        if (next === undefined) throw new Error("a mesh has an edge");
        try {
          return await next.unary(method, signal, timeoutMs ?? ANSWER_MS, header, message, contextValues);
        } catch (error) {
          const problem = ConnectError.from(error);
          if (!isAway(problem) || Date.now() > deadline || closing.signal.aborted) throw error;
          const words = `${method.name}: ${problem.message}`;
          setbacks.set(words, (setbacks.get(words) ?? 0) + 1);
          await pause(PAUSE_MS, undefined, { signal: closing.signal });
        }
      }
    },
    stream(method, signal, timeoutMs, header, input, contextValues) {
      const next = transports[turn++ % transports.length];
      if (next === undefined) throw new Error("a mesh has an edge");
      return next.stream(method, signal, timeoutMs, header, input, contextValues);
    },
  };
  return { client: createApiClient(transport), setbacks, close: () => closing.abort() };
}

/** Nobody there, or somebody there who cannot reach what it needs; what HTTP/2 says of a broken connection has no details. */
function isAway(error: ConnectError): boolean {
  return AWAY.has(error.code) || (error.code === Code.Internal && error.details.length === 0);
}
