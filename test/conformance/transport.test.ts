import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type CallOptions, type ConnectRouter, createContextValues, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { as, type Caller, callerOf } from "@xcloudflow/chassis/caller";
import { createCodedClient } from "@xcloudflow/chassis/clients";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createLogger } from "@xcloudflow/chassis/logger";
import { createMemoryTransport } from "@xcloudflow/chassis/memory-transport";
import { createMeshTransport } from "@xcloudflow/chassis/mesh-transport";
import { type RunningServer, serveRoutes } from "@xcloudflow/chassis/serve";
import { serveMesh } from "@xcloudflow/chassis/serve-mesh";
import { edgeInterceptors } from "@xcloudflow/chassis/server-interceptors";
import { CodedError } from "@xcloudflow/model/coded-error";
import { ProblemsFoundError } from "@xcloudflow/model/problems-found-error";
import { ApiService } from "@xcloudflow/proto/api/v1/api_pb";
import { StateService } from "@xcloudflow/proto/state/v1/state_pb";
import { createTestAuthority, placeOf } from "../support/mesh-certificates.ts";

class ShelfFullError extends CodedError {
  constructor() {
    super("SHELF_FULL", "stale", { what: "the shelf is full", where: "prod/shop/db", hint: "take something off" });
  }
}

const viewer: Caller = { tenant: "t", subject: "ada", groups: ["g"], roles: ["viewer"], assurance: "token" };
const admin: Caller = { ...viewer, subject: "root", roles: ["admin"] };
const service: Caller = { ...viewer, subject: "service:x", roles: ["service"] };
const CALLERS: Readonly<Record<string, Caller>> = { "tok-viewer": viewer, "tok-admin": admin, "tok-service": service };

const log: string[] = [];
const options = {
  logger: createLogger({ level: "debug", now: () => new Date(), write: (line) => void log.push(line) }),
  clock: createSystemClock(),
  newReference: () => "ref-1",
};
let streamLeft = Promise.withResolvers<void>();

function routes(router: ConnectRouter): void {
  router.service(ApiService, {
    getServerInfo: (_request, context) => ({ subject: callerOf(context).subject, groups: callerOf(context).groups }),
    getRun: ({ id }) => {
      if (id === "coded") throw new ShelfFullError();
      if (id === "problems") throw new ProblemsFoundError(problems(3), "HEAD");
      if (id === "many-problems") throw new ProblemsFoundError(problems(5000), "HEAD");
      throw new TypeError("connect ECONNREFUSED /home/someone/.secret");
    },
    async *watchRun({ id }, { signal }) {
      const left = streamLeft;
      signal.addEventListener("abort", () => left.resolve());
      for (let sequence = 1n; ; sequence++) {
        if (id === "breaks" && sequence === 3n) throw new ShelfFullError();
        if (id === "endless" && sequence > 2n) await left.promise;
        if (signal.aborted) return;
        yield { sequence };
      }
    },
  });
  router.service(StateService, {
    async putArtefact(parts) {
      let size = 0;
      for await (const { part } of parts) if (part.case === "data") size += part.value.byteLength;
      return { id: "sha256:0", size: BigInt(size) };
    },
    getChangeSet: () => ({ document: new Uint8Array(63 * 1024 * 1024), digest: "d" }),
    putChangeSet: () => ({}),
  });
}

function problems(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    file: "envs/prod/environment.yaml",
    line: index + 1,
    col: 3,
    code: "KEY_UNKNOWN",
    message: `unknown key "regoins"`,
    hint: 'did you mean "regions"?',
    severity: "error" as const,
  }));
}

interface Side {
  readonly name: string;
  readonly open: () => Promise<{ readonly transport: Transport; close(): Promise<void> }>;
  readonly asCaller: (token: string) => CallOptions;
  /** The error of a call in nobody's name. */
  readonly nobody: readonly [code: string, category: string];
  /** Callers are authenticated by tokens, not believed. */
  readonly edge?: true;
  readonly inMemory?: true;
  /** Details travel in HTTP/2 trailers, whose size clients limit. */
  readonly trailers?: true;
  /** HTTP/1.1 answers a streamed request after it has ended; JSON makes bytes a third larger. */
  readonly largest: number;
}

const bearer = (token: string): CallOptions => ({ headers: { authorization: `Bearer ${token}` } });
const NAMES = Object.keys(CALLERS);
const callerNamed = (token: string): Caller => CALLERS[token] ?? assert.fail(`no caller ${NAMES.join()} ${token}`);

/** A side that dials a served edge. */
function edge(dial: (server: RunningServer) => Transport): Pick<Side, "open" | "asCaller" | "nobody" | "edge"> {
  return {
    async open() {
      const server = await serveRoutes({
        routes: [routes],
        interceptors: edgeInterceptors(options),
        authenticate: async (token) => CALLERS[token],
        grpc: { host: "127.0.0.1", port: 0 },
        http: { host: "127.0.0.1", port: 0 },
        graceMs: 200,
      });
      return { transport: dial(server), close: () => server.close() };
    },
    asCaller: bearer,
    nobody: ["TOKEN_MISSING", "unauthenticated"],
    edge: true,
  };
}

/** Two processes of the mesh, each with a certificate of its own: a service is called by another. */
async function openMesh() {
  const authority = await createTestAuthority();
  const server = await serveMesh({
    ...options,
    routes: [routes],
    // One process stands for two services here; a certificate names one, so each has a listener of its own.
    tls: await authority.member("service/api"),
    trustDomain: "xcloudflow",
    listen: { host: "127.0.0.1", port: 0 },
    graceMs: 200,
  });
  const states = await serveMesh({
    ...options,
    routes: [routes],
    tls: await authority.member("service/state"),
    trustDomain: "xcloudflow",
    listen: { host: "127.0.0.1", port: 0 },
    graceMs: 200,
  });
  const transport = createMeshTransport({
    places: { api: [placeOf(server)], state: [placeOf(states)] },
    tls: await authority.member("service/orchestrator"),
    clock: options.clock,
  });
  return {
    transport,
    async close() {
      await Promise.all([server.close(), states.close()]);
    },
  };
}

const SIDES: readonly Side[] = [
  {
    name: "in memory",
    open: async () => ({ transport: createMemoryTransport([routes], options), close: async () => undefined }),
    asCaller: (token) => as(callerNamed(token)),
    nobody: ["CALLER_MISSING", "unauthenticated"],
    inMemory: true,
    largest: 63,
  },
  {
    name: "gRPC over HTTP/2",
    ...edge(({ grpc }) => createGrpcTransport({ baseUrl: grpc.url, nodeOptions: { maxSessionMemory: 256 } })),
    trailers: true,
    largest: 63,
  },
  {
    name: "Connect over HTTP/1.1",
    ...edge(({ http }) => createConnectTransport({ baseUrl: http.url, httpVersion: "1.1" })),
    largest: 63,
  },
  {
    name: "Connect-JSON over HTTP/1.1",
    ...edge(({ http }) => createConnectTransport({ baseUrl: http.url, httpVersion: "1.1", useBinaryFormat: false })),
    largest: 24,
  },
  {
    name: "gRPC-web over HTTP/1.1",
    ...edge(({ http }) => createGrpcWebTransport({ baseUrl: http.url, httpVersion: "1.1" })),
    largest: 63,
  },
  {
    name: "Connect over HTTP/2",
    ...edge(({ grpc }) => createConnectTransport({ baseUrl: grpc.url, httpVersion: "2" })),
    largest: 63,
  },
  {
    name: "gRPC between processes of the mesh",
    open: openMesh,
    asCaller: (token) => as(callerNamed(token)),
    nobody: ["PEER_REFUSED", "forbidden"],
    trailers: true,
    largest: 63,
  },
];

for (const side of SIDES) {
  describe(`transport: ${side.name}`, () => {
    let opened: Awaited<ReturnType<Side["open"]>>;
    let transport: Transport;
    const clients = () => ({
      api: createCodedClient(ApiService, transport),
      state: createCodedClient(StateService, transport),
    });

    before(async () => {
      opened = await side.open();
      transport = opened.transport;
    });
    after(() => opened.close());

    const failure = async (call: Promise<unknown>): Promise<CodedError> => {
      const reason: unknown = await call.then(
        () => assert.fail("the call should have failed"),
        (error: unknown) => error,
      );
      assert.ok(reason instanceof CodedError, String(reason));
      return reason;
    };

    it("tells the handler who calls", async () => {
      const info = await clients().api.getServerInfo({}, side.asCaller("tok-viewer"));
      assert.equal(info.subject, "ada");
      assert.deepEqual(info.groups, ["g"]);
    });

    it("refuses a call that names nobody", async () => {
      const error = await failure(clients().api.getServerInfo({}));
      assert.deepEqual([error.code, error.category], side.nobody);
    });

    it("gives the client the sentence the server raised", async () => {
      const error = await failure(clients().api.getRun({ id: "coded" }, side.asCaller("tok-viewer")));
      assert.deepEqual(
        [error.code, error.category, error.what, error.where, error.hint, error.message],
        [
          "SHELF_FULL",
          "stale",
          "the shelf is full",
          "prod/shop/db",
          "take something off",
          new ShelfFullError().message,
        ],
      );
    });

    it("carries every problem in a file with its place", async () => {
      const error = await failure(clients().api.getRun({ id: "problems" }, side.asCaller("tok-viewer")));
      assert.ok(error instanceof ProblemsFoundError);
      assert.deepEqual(error.problems, problems(3));
      assert.equal(error.where, "HEAD");
    });

    it("carries as many problems as the protocol has room for", async () => {
      const error = await failure(clients().api.getRun({ id: "many-problems" }, side.asCaller("tok-viewer")));
      assert.ok(error instanceof ProblemsFoundError);
      if (side.trailers)
        assert.ok(error.problems.length > 5 && error.problems.length < 100, `${error.problems.length}`);
      else assert.equal(error.problems.length, 5000);
      assert.match(error.what, /^5000 errors/);
    });

    it("hides what an unexpected error says, and logs it under a reference", async () => {
      log.length = 0;
      const error = await failure(clients().api.getRun({ id: "boom" }, side.asCaller("tok-viewer")));
      assert.equal(error.code, "INTERNAL");
      assert.match(error.message, /ref-1/);
      assert.doesNotMatch(`${error.message} ${JSON.stringify(error)}`, /ECONNREFUSED|secret/);
      assert.ok(log.some((line) => line.includes("ref-1") && line.includes("ECONNREFUSED")));
    });

    it("refuses a caller without the method's role", async () => {
      const error = await failure(clients().api.createToken({ role: "viewer" }, side.asCaller("tok-viewer")));
      assert.deepEqual([error.code, error.category], ["PERMISSION_MISSING", "forbidden"]);
      const other = await failure(clients().state.putChangeSet({ id: "a", digest: "b" }, side.asCaller("tok-admin")));
      assert.equal(other.code, "PERMISSION_MISSING");
      await clients().state.putChangeSet({ id: "a", digest: "b" }, side.asCaller("tok-service"));
    });

    it("refuses a request that breaks its message's rules, naming the fields", async () => {
      const error = await failure(clients().state.putChangeSet({}, side.asCaller("tok-service")));
      assert.deepEqual([error.code, error.category], ["REQUEST_INVALID", "invalid"]);
      assert.match(error.what, /id: .*; digest: /);
    });

    it("says so when a method is not built", async () => {
      const error = await failure(clients().api.getChangeSet({ id: "x" }, side.asCaller("tok-viewer")));
      assert.equal(error.code, "RPC_UNIMPLEMENTED");
    });

    it("streams answers, then the error that ended them", async () => {
      const seen: bigint[] = [];
      const error = await failure(
        (async () => {
          for await (const { sequence } of clients().api.watchRun({ id: "breaks" }, side.asCaller("tok-viewer"))) {
            seen.push(sequence);
          }
        })(),
      );
      assert.deepEqual(seen, [1n, 2n]);
      assert.equal(error.code, "SHELF_FULL");
    });

    it("ends the handler's stream when the reader leaves", { timeout: 5000 }, async () => {
      streamLeft = Promise.withResolvers();
      for await (const { sequence } of clients().api.watchRun({ id: "endless" }, side.asCaller("tok-viewer"))) {
        if (sequence === 2n) break;
      }
      await streamLeft.promise;
    });

    it("takes a stream of requests and checks each", async () => {
      async function* parts() {
        yield { part: { case: "header" as const, value: { kind: "plan" } } };
        for (let index = 0; index < 4; index++) {
          yield { part: { case: "data" as const, value: new Uint8Array(1024 * 1024) } };
        }
      }
      const { size } = await clients().state.putArtefact(parts(), side.asCaller("tok-service"));
      assert.equal(size, 4n * 1024n * 1024n);
      async function* wrong() {
        yield { part: { case: "header" as const, value: { kind: "" } } };
      }
      const error = await failure(clients().state.putArtefact(wrong(), side.asCaller("tok-service")));
      assert.equal(error.code, "REQUEST_INVALID");
      assert.match(error.what, /header\.kind/);
    });

    it(`passes a message of ${side.largest} MiB both ways`, async () => {
      const document = new Uint8Array(side.largest * 1024 * 1024);
      await clients().state.putChangeSet({ id: "a", digest: "b", document }, side.asCaller("tok-service"));
      if (side.largest < 63) return;
      const answer = await clients().state.getChangeSet({ id: "a" }, side.asCaller("tok-service"));
      assert.equal(answer.document.byteLength, 63 * 1024 * 1024);
    });

    if (!side.inMemory) {
      it("refuses a message above 64 MiB", async () => {
        const document = new Uint8Array(65 * 1024 * 1024);
        const error = await failure(
          clients().state.putChangeSet({ id: "a", digest: "b", document }, side.asCaller("tok-service")),
        );
        assert.equal(error.category, "exhausted");
      });
    }

    if (side.edge) {
      it("does not believe a caller header from outside", async () => {
        const error = await failure(clients().api.getServerInfo({}, as(admin)));
        assert.equal(error.code, "TOKEN_MISSING");
        const both = { headers: { ...headersOf(as(admin)), ...headersOf(bearer("tok-viewer")) } };
        assert.equal((await clients().api.getServerInfo({}, both)).subject, "ada");
      });

      it("refuses a token it does not know", async () => {
        const error = await failure(clients().api.getServerInfo({}, bearer("tok-forged")));
        assert.deepEqual([error.code, error.category], ["TOKEN_INVALID", "unauthenticated"]);
      });
    }

    it("reports a deadline that passed", async () => {
      const call = async () => {
        for await (const _ of clients().api.watchRun(
          { id: "endless" },
          { ...side.asCaller("tok-viewer"), timeoutMs: 100, contextValues: createContextValues() },
        )) {
          // read on until the deadline
        }
      };
      streamLeft = Promise.withResolvers();
      assert.equal((await failure(call())).category, "timeout");
    });
  });
}

function headersOf(call: CallOptions): Record<string, string> {
  return Object.fromEntries(new Headers(call.headers));
}
