import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, it } from "node:test";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import type { Caller } from "@xcloudflow/chassis/caller";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { AddressUnavailableError } from "@xcloudflow/chassis/listen";
import { silentLogger } from "@xcloudflow/chassis/logger";
import { type RunningServer, serveRoutes } from "@xcloudflow/chassis/serve";
import { edgeInterceptors } from "@xcloudflow/chassis/server-interceptors";
import { ApiService } from "@xcloudflow/proto/api/v1/api_pb";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@xcloudflow/proto/grpc/health/v1/health_pb";
import { ServerReflection } from "@xcloudflow/proto/grpc/reflection/v1/reflection_pb";

const caller: Caller = { tenant: "t", subject: "ada", groups: [], roles: ["viewer"], assurance: "token" };
const bearer = { headers: { authorization: "Bearer good" } };

function serve(ports: { grpc?: number; http?: number } = {}): Promise<RunningServer> {
  return serveRoutes({
    routes: [
      (router) => {
        router.service(ApiService, { getServerInfo: () => ({ version: "1" }) });
      },
    ],
    interceptors: edgeInterceptors({ logger: silentLogger, clock: createSystemClock(), newReference: () => "ref" }),
    authenticate: async (token) => (token === "good" ? caller : undefined),
    grpc: { host: "127.0.0.1", port: ports.grpc ?? 0 },
    http: {
      host: "127.0.0.1",
      port: ports.http ?? 0,
      fallback: (request, response) => response.end(`fallback ${request.url}`),
    },
    graceMs: 500,
  });
}

describe("a served process", () => {
  let server: RunningServer;
  before(async () => {
    server = await serve();
  });
  after(() => server.close());
  const grpc = () => createGrpcTransport({ baseUrl: server.grpc.url });

  it("answers health to anybody, for itself and for each service", async () => {
    const health = createClient(Health, grpc());
    assert.equal((await health.check({})).status, Status.SERVING);
    assert.equal((await health.check({ service: "xcloudflow.api.v1.ApiService" })).status, Status.SERVING);
    await assert.rejects(health.check({ service: "nobody" }), /not_found/);
    const { statuses } = await health.list({});
    assert.deepEqual(Object.keys(statuses).sort(), ["", "xcloudflow.api.v1.ApiService"]);
  });

  it("tells a watcher of health about each change, and about a service it does not have", async () => {
    const abort = new AbortController();
    const watch = createClient(Health, grpc()).watch(
      { service: "xcloudflow.api.v1.ApiService" },
      { signal: abort.signal },
    );
    const updates = watch[Symbol.asyncIterator]();
    assert.equal((await updates.next()).value?.status, Status.SERVING);
    server.health.set("xcloudflow.api.v1.ApiService", false);
    assert.equal((await updates.next()).value?.status, Status.NOT_SERVING);
    server.health.set("xcloudflow.api.v1.ApiService", true);
    assert.equal((await updates.next()).value?.status, Status.SERVING);
    const unknown = createClient(Health, grpc()).watch({ service: "nobody" }, { signal: abort.signal });
    assert.equal((await unknown[Symbol.asyncIterator]().next()).value?.status, Status.SERVICE_UNKNOWN);
    abort.abort();
  });

  it("lists and describes its services to those with a token only", async () => {
    const ask = async (question: Parameters<typeof requests>[0], options = bearer) => {
      const client = createClient(ServerReflection, grpc());
      for await (const answer of client.serverReflectionInfo(requests(question), options))
        return answer.messageResponse;
      return undefined;
    };
    const list = await ask({ case: "listServices", value: "" });
    assert.ok(list?.case === "listServicesResponse");
    assert.deepEqual(
      list.value.service.map(({ name }) => name),
      [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "xcloudflow.api.v1.ApiService",
      ],
    );
    for (const symbol of [
      "xcloudflow.api.v1.ApiService",
      "xcloudflow.api.v1.ApiService.StartRun",
      "xcloudflow.orchestrator.v1.Run.id",
    ]) {
      const file = await ask({ case: "fileContainingSymbol", value: symbol });
      assert.ok(file?.case === "fileDescriptorResponse" && file.value.fileDescriptorProto.length > 3, symbol);
    }
    const byName = await ask({ case: "fileByFilename", value: "xcloudflow/common/v1/common.proto" });
    assert.equal(byName?.case, "fileDescriptorResponse");
    const extension = await ask({
      case: "fileContainingExtension",
      value: { containingType: "google.protobuf.MethodOptions", extensionNumber: 50810 },
    });
    assert.equal(extension?.case, "fileDescriptorResponse");
    const numbers = await ask({ case: "allExtensionNumbersOfType", value: "google.protobuf.MethodOptions" });
    assert.ok(numbers?.case === "allExtensionNumbersResponse" && numbers.value.extensionNumber.includes(50810));
    const missing = await ask({ case: "fileContainingSymbol", value: "no.such.Thing" });
    assert.ok(missing?.case === "errorResponse" && missing.value.errorCode === 5);
    await assert.rejects(
      ask({ case: "listServices", value: "" }, { headers: { authorization: "" } }),
      /unauthenticated/,
    );
  });

  it("gives what is no RPC to the fallback over HTTP/1.1", async () => {
    const response = await fetch(`${server.http.url}/terraform/default/prod/shop/db`);
    assert.equal(await response.text(), "fallback /terraform/default/prod/shop/db");
  });

  it("survives requests that are no requests", async () => {
    const path = "/xcloudflow.api.v1.ApiService/GetServerInfo";
    for (const head of [
      `POST ${path} HTTP/1.0\r\n\r\n`,
      `POST ${path} HTTP/1.1\r\nHost: a b\r\n\r\n`,
      `POST ${path} HTTP/1.1\r\nHost: [::\r\n\r\n`,
      "\u0000\u0001\u0002\r\n\r\n",
    ]) {
      assert.match(await raw(server.http.port, head), /^HTTP\/1\.1 400/, JSON.stringify(head));
    }
    assert.match(
      await raw(server.http.port, `GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(40_000)}\r\n\r\n`),
      /^HTTP\/1\.1 431/,
    );
    assert.equal((await createClient(Health, grpc()).check({})).status, Status.SERVING);
  });

  it("names the port that is taken and leaves nothing listening", async () => {
    await assert.rejects(serve({ http: server.http.port }), (error: unknown) => {
      assert.ok(error instanceof AddressUnavailableError);
      assert.match(error.message, new RegExp(`port ${server.http.port} of 127.0.0.1 is in use`));
      return true;
    });
    await assert.rejects(serve({ grpc: server.grpc.port }), AddressUnavailableError);
  });

  it("ends streams with UNAVAILABLE and says NOT_SERVING when it closes", async () => {
    const other = await serve();
    const transport = createGrpcTransport({ baseUrl: other.grpc.url });
    const updates = createClient(Health, transport).watch({})[Symbol.asyncIterator]();
    assert.equal((await updates.next()).value?.status, Status.SERVING);
    const closed = other.close();
    assert.equal(await lastWord(updates), "ended or unavailable");
    await closed;
    await other.close();
  });
});

type Question =
  | { case: "listServices" | "fileContainingSymbol" | "fileByFilename" | "allExtensionNumbersOfType"; value: string }
  | { case: "fileContainingExtension"; value: { containingType: string; extensionNumber: number } };

async function* requests(messageRequest: Question) {
  yield { messageRequest };
}

async function lastWord(updates: AsyncIterator<{ status: Status }>): Promise<string> {
  try {
    for (let update = await updates.next(); update.done !== true; update = await updates.next());
  } catch (error) {
    return /unavailable|canceled/.test(String(error)) ? "ended or unavailable" : String(error);
  }
  return "ended or unavailable";
}

function raw(port: number, text: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let answer = "";
  const socket = connect(port, "127.0.0.1", () => socket.write(text));
  socket.on("data", (data) => {
    answer += String(data);
    socket.end();
  });
  socket.on("close", () => resolve(answer));
  socket.on("error", reject);
  return promise;
}
