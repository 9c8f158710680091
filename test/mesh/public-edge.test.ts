import assert from "node:assert/strict";
import { type IncomingMessage, request as requestOverHttp1 } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import type { Caller } from "@xcloudflow/chassis/caller";
import { createCodedClient } from "@xcloudflow/chassis/clients";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { silentLogger } from "@xcloudflow/chassis/logger";
import { type PublicServer, servePublic } from "@xcloudflow/chassis/serve-public";
import { edgeInterceptors } from "@xcloudflow/chassis/server-interceptors";
import { ApiService } from "@xcloudflow/proto/api/v1/api_pb";
import { createTestAuthority, type TestAuthority } from "../support/mesh-certificates.ts";
import { poll } from "../support/poll.ts";

const caller: Caller = { tenant: "acme", subject: "ada", groups: [], roles: ["viewer"], assurance: "token" };
const bearer = { headers: { authorization: "Bearer good" } };
const clock = createSystemClock();
const FIRST_BYTES_MS = 300;

async function serve(tls?: { readonly cert: Buffer; readonly key: Buffer }, graceMs = 100): Promise<PublicServer> {
  return await servePublic({
    routes: [(router) => void router.service(ApiService, { getServerInfo: () => ({ version: "1" }) })],
    interceptors: edgeInterceptors({ logger: silentLogger, clock, newReference: () => "ref" }),
    authenticate: async (token) => (token === "good" ? caller : undefined),
    listen: { host: "127.0.0.1", port: 0 },
    fallback(request, response) {
      response.statusCode = 207;
      request.pipe(response);
    },
    graceMs,
    firstBytesMs: FIRST_BYTES_MS,
    ...(tls === undefined ? {} : { tls }),
  });
}

/** Everything the server sends until it hangs up. */
async function answerTo(socket: Socket): Promise<string> {
  return await text(socket).catch(() => "");
}

describe("the public edge, in clear text", () => {
  let server: PublicServer;
  before(async () => {
    server = await serve();
  });
  after(() => server.close());

  const info = (transport: Parameters<typeof createCodedClient>[1], to = server) =>
    createCodedClient(ApiService, transport).getServerInfo({}, { ...bearer, timeoutMs: to === server ? 5_000 : 1_000 });
  const dial = (): Socket => connect({ host: "127.0.0.1", port: server.address.port });

  test("speaks gRPC, Connect and plain HTTP on one port", async () => {
    const baseUrl = server.address.url;
    for (const transport of [
      createGrpcTransport({ baseUrl }),
      createConnectTransport({ baseUrl, httpVersion: "2" }),
      createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
    ])
      assert.equal((await info(transport)).version, "1");
    const answer = await fetch(`${baseUrl}/terraform/acme/x`, { method: "POST", body: "state" });
    assert.deepEqual([answer.status, await answer.text()], [207, "state"]);
    await assert.rejects(
      createCodedClient(ApiService, createGrpcTransport({ baseUrl })).getServerInfo({}),
      /carries no API token/,
    );
  });

  test("takes first bytes one at a time, of either version", async () => {
    const posting = dial();
    for (const byte of "POST /terraform/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi") {
      posting.write(byte);
      await new Promise(setImmediate);
    }
    assert.match(await answerTo(posting), /^HTTP\/1\.1 207.*h.*i/s);
    const preface = dial();
    for (const byte of "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") {
      preface.write(byte);
      await new Promise(setImmediate);
    }
    const [first] = await new Promise<Buffer>((resolve) => preface.once("data", resolve));
    assert.equal(first, 0, "an HTTP/2 frame");
    preface.destroy();
  });

  test("hangs up on who says nothing, or says too little for too long", async () => {
    const started = performance.now();
    const silent = dial();
    const slow = dial();
    slow.write("P");
    assert.deepEqual(await Promise.all([answerTo(silent), answerTo(slow)]), ["", ""]);
    const waited = performance.now() - started;
    assert.ok(waited >= FIRST_BYTES_MS - 50 && waited < 20 * FIRST_BYTES_MS, `${waited} ms`);
  });

  test("survives garbage, half requests and connections that are cut", async () => {
    for (const bytes of [
      "\u0000\u0001\u0002\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nnonsense and more of it",
      "PRX\r\n\r\n",
    ]) {
      const socket = dial();
      socket.write(bytes);
      await answerTo(socket);
    }
    for (const bytes of ["", "P", "PRI", "GET / HT", "POST /terraform/x HTTP/1.1\r\ncontent-length: 9\r\n\r\nha"]) {
      const cut = dial();
      cut.on("error", () => undefined);
      cut.write(bytes);
      await new Promise(setImmediate);
      cut.resetAndDestroy();
    }
    const half = dial();
    half.end("GET /terraform/x HTTP/1.1\r\nhost: x\r\n\r\n");
    assert.match(await answerTo(half), /^HTTP\/1\.1 207/);
    assert.equal((await info(createGrpcTransport({ baseUrl: server.address.url }))).version, "1");
  });

  test("refuses a request with more than one idea of its length", async () => {
    const socket = dial();
    socket.write(
      "POST /terraform/x HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    );
    assert.match(await answerTo(socket), /^HTTP\/1\.1 400/);
  });

  test("closes at once where nobody is served, and cuts what does not end", async () => {
    const other = await serve(undefined, 60_000);
    const { port, url } = other.address;
    const grpc = createGrpcTransport({ baseUrl: url });
    await info(grpc, other);
    await fetch(`${url}/terraform/x`).then((answer) => answer.text());
    const silent = connect({ host: "127.0.0.1", port });
    await new Promise((resolve) => silent.once("connect", resolve));
    const ended = answerTo(silent);
    await Promise.all([other.close(), ended]);
    const stuck = await serve(undefined, 100);
    const upload = requestOverHttp1(`${stuck.address.url}/terraform/x`, { method: "POST" });
    upload.write("first");
    const answer = await new Promise<IncomingMessage>((resolve) => upload.once("response", resolve));
    const cut = new Promise((resolve) => answer.once("error", resolve));
    await stuck.close();
    await cut;
  });
});

describe("the public edge over TLS", () => {
  let authority: TestAuthority;
  let server: PublicServer;
  before(async () => {
    authority = await createTestAuthority();
    server = await serve(await authority.member(undefined));
  });
  after(() => server.close());

  test("speaks both versions of HTTP, to RPC and to Terraform's clients, which prefer the second", async () => {
    const url = server.address.url.replace("http:", "https:");
    const transport = createGrpcTransport({ baseUrl: url, nodeOptions: { ca: authority.ca } });
    assert.equal((await createCodedClient(ApiService, transport).getServerInfo({}, bearer)).version, "1");
    const session = connectHttp2(url, { ca: authority.ca });
    const stream = session.request({ ":method": "LOCK", ":path": "/terraform/acme/x" });
    const status = new Promise((resolve) => stream.once("response", (headers) => resolve(headers[":status"])));
    stream.end("lock");
    assert.deepEqual([await status, await text(stream)], [207, "lock"]);
    session.close();
    await poll(async () => session.destroyed, Boolean);
  });
});
