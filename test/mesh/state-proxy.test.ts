import assert from "node:assert/strict";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import { connect, createServer as createSocketServer } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { afterEach, before, describe, test } from "node:test";
import { type ListenAddress, listen } from "@xcloudflow/chassis/listen";
import { createLogger } from "@xcloudflow/chassis/logger";
import { createStateProxy, type StateProxy } from "@xcloudflow/chassis/state-proxy";
import { createTestAuthority, type TestAuthority } from "../support/mesh-certificates.ts";
import { poll } from "../support/poll.ts";

const MiB = 1024 * 1024;
type Handler = Parameters<typeof createServer>[1];

describe("requests for states, passed on to the state service", () => {
  let authority: TestAuthority;
  const log: string[] = [];
  const logger = createLogger({ level: "debug", now: () => new Date(), write: (line) => void log.push(line) });
  const open: { close(): Promise<void> }[] = [];

  before(async () => {
    authority = await createTestAuthority();
  });
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
    log.length = 0;
  });

  function keep(server: Server | TlsServer): void {
    open.push({
      async close() {
        server.closeAllConnections();
        if (server.listening) await new Promise((resolve) => server.close(resolve));
      },
    });
  }

  async function serveState(handler: Handler, name = "service/state", port = 0): Promise<TlsServer> {
    const tls = await authority.member(name);
    const server = createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: true }, handler);
    await listen(server, { host: "127.0.0.1", port });
    keep(server);
    return server;
  }

  async function openProxy(...places: readonly string[]): Promise<ListenAddress> {
    const times = { connect: 300, silence: 2_000 };
    const proxy: StateProxy = createStateProxy(places, await authority.member("service/api"), logger, times);
    const server = createServer(proxy.handler);
    const address = await listen(server, { host: "127.0.0.1", port: 0 });
    keep(server);
    open.push({ close: async () => proxy.close() });
    return address;
  }

  /** A replica that tells what it has got. */
  const tell =
    (name: string): Handler =>
    (asked, answer) => {
      answer.setHeader("x-replica", name);
      answer.setHeader("keep-alive", "timeout=99");
      answer.statusCode = 209;
      answer.end(JSON.stringify({ method: asked.method, url: asked.url, headers: asked.headers }));
    };

  function raw(address: ListenAddress, text: string): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    const socket = connect({ host: address.host, port: address.port });
    let heard = "";
    socket.on("data", (bytes) => {
      heard += bytes.toString("latin1");
    });
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(heard));
    socket.write(text);
    return promise;
  }

  test("keep their method, path, query, headers and answer", async () => {
    const proxy = await openProxy(place(await serveState(tell("one"))));
    for (const method of ["GET", "POST", "LOCK", "UNLOCK", "DELETE"]) {
      const answer = await fetch(`${proxy.url}/terraform/acme/prod/shop/db?ID=a%20b`, {
        method,
        headers: { authorization: "Basic eDp5", "content-md5": "q" },
        ...(method === "GET" ? {} : { body: "x" }),
      });
      assert.deepEqual([answer.status, answer.headers.get("x-replica")], [209, "one"]);
      const { headers, ...told } = JSON.parse(await answer.text());
      assert.deepEqual(told, { method, url: "/terraform/acme/prod/shop/db?ID=a%20b" });
      assert.deepEqual([headers.authorization, headers["content-md5"]], ["Basic eDp5", "q"]);
    }
  });

  test("go nowhere else, whatever their first line names", async () => {
    const elsewhere = await serveState((_, answer) => answer.end("elsewhere"), "service/router");
    const proxy = await openProxy(place(await serveState(tell("one"))));
    const host = place(elsewhere).slice("https://".length);
    for (const target of [
      `https://${host}/terraform/x`,
      `http://${host}/terraform/x`,
      `//${host}/terraform/x`,
      "/",
      "/terraform",
      "/terraform/../xcloudflow.state.v1.StateService/GetState",
      "/terraform/%2e%2e/xcloudflow.state.v1.StateService/GetState",
      "/terraform\\..\\..\\xcloudflow.state.v1.StateService/GetState",
      "http://[/terraform/x",
      "*",
    ]) {
      const heard = await raw(proxy, `GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
      assert.match(heard, /^HTTP\/1\.1 40[04]/, target);
    }
    assert.equal((await fetch(`${proxy.url}/terraform/still/here`)).status, 209);
  });

  test("carry no header that is the connection's or the mesh's own", async () => {
    const proxy = await openProxy(place(await serveState(tell("one"))));
    const heard = await raw(
      proxy,
      "GET /terraform/x HTTP/1.1\r\nhost: evil.example\r\nconnection: close, x-hop\r\nx-hop: 1\r\nx-kept: 1\r\n" +
        "te: trailers\r\nupgrade: websocket\r\nproxy-connection: keep-alive\r\nxcf-caller: e30\r\n\r\n",
    );
    const { headers } = JSON.parse(heard.slice(heard.indexOf("{"), heard.lastIndexOf("}") + 1));
    assert.deepEqual(Object.keys(headers).sort(), ["connection", "host", "x-kept"]);
    assert.equal(headers.connection, "keep-alive");
    assert.match(headers.host, /^127\.0\.0\.1:/);
    assert.doesNotMatch(heard, /timeout=99/);
  });

  test("stream 64 MB up and down, no faster than they are read", async () => {
    const { promise: mayRead, resolve: letRead } = Promise.withResolvers<void>();
    let arrived = 0;
    let produced = 0;
    function* pieces() {
      for (let piece = 0; piece < 64; piece++) {
        produced += MiB;
        yield Buffer.alloc(MiB, piece);
      }
    }
    const replica = await serveState((asked, answer) => {
      void (async () => {
        await mayRead;
        for await (const bytes of asked) arrived += Buffer.from(bytes).length;
        produced = 0;
        await pipeline(Readable.from(pieces()), answer);
      })();
    });
    const proxy = await openProxy(place(replica));
    const upload = request(`${proxy.url}/terraform/x`, { method: "POST" });
    const answered = new Promise<IncomingMessage>((resolve) => upload.once("response", resolve));
    const sent = pipeline(Readable.from(pieces()), upload);
    assert.ok((await whenStill(() => produced)) < 32 * MiB, "nothing is read yet, so most is not sent yet");
    letRead();
    await sent;
    const answer = await answered;
    assert.equal(arrived, 64 * MiB);
    assert.ok((await whenStill(() => produced)) < 32 * MiB, "nor the other way");
    let back = 0;
    for await (const bytes of answer) back += Buffer.from(bytes).length;
    assert.equal(back, 64 * MiB);
  });

  test("go round, and to the next replica when one takes no connections", async () => {
    const one = await serveState(tell("one"));
    const two = await serveState(tell("two"));
    const proxy = await openProxy(place(one), place(two));
    const ask = async () =>
      (await fetch(`${proxy.url}/terraform/x`, { method: "POST", body: "state" })).headers.get("x-replica");
    assert.deepEqual(new Set([await ask(), await ask()]), new Set(["one", "two"]));
    one.closeAllConnections();
    await new Promise((resolve) => one.close(resolve));
    // A connection that was kept open may only now turn out to be gone; Terraform asks again then.
    await poll(ask, (replica) => replica === "two");
    for (let n = 0; n < 4; n++) assert.equal(await ask(), "two");
  });

  test("go to the next replica when one accepts and then says nothing", async () => {
    const frozen = createSocketServer(() => undefined);
    const { port } = await listen(frozen, { host: "127.0.0.1", port: 0 });
    open.push({ close: async () => void frozen.close() });
    const proxy = await openProxy(`https://127.0.0.1:${port}`, place(await serveState(tell("two"))));
    for (let n = 0; n < 2; n++) assert.equal((await fetch(`${proxy.url}/terraform/x`)).headers.get("x-replica"), "two");
  });

  test("are 503 and to be tried again while no replica can be reached, which the log explains once each", async () => {
    const gone = await serveState(tell("one"));
    const address = place(gone);
    gone.closeAllConnections();
    await new Promise((resolve) => gone.close(resolve));
    const proxy = await openProxy(address);
    const answer = await fetch(`${proxy.url}/terraform/x`, { method: "POST", body: "state" });
    assert.deepEqual([answer.status, answer.headers.get("retry-after")], [503, "1"]);
    assert.equal(log.length, 1);
    assert.match(log.join(), /the state service cannot be reached.*ECONNREFUSED/);
  });

  test("are not given to a member that is not the state service", async () => {
    const proxy = await openProxy(place(await serveState(tell("impostor"), "runner/*/apply")));
    assert.equal((await fetch(`${proxy.url}/terraform/x`)).status, 503);
    assert.match(log.join(), /who answers is not state/);
  });

  test("are answered even where the answer comes before the request has been read", async () => {
    const replica = await serveState((asked, answer) => {
      asked.once("data", () => {
        asked.pause();
        answer.writeHead(401, { connection: "close" }).end("who are you");
      });
    });
    const proxy = await openProxy(place(replica));
    const upload = request(`${proxy.url}/terraform/x`, { method: "POST" });
    upload.on("error", () => undefined);
    const answered = new Promise<IncomingMessage>((resolve) => upload.once("response", resolve));
    upload.write(Buffer.alloc(MiB));
    const answer = await answered;
    assert.equal(answer.statusCode, 401);
    answer.resume();
    upload.destroy();
  });

  test("end at the state service when their sender leaves, without a word in the log", async () => {
    const { promise: left, resolve } = Promise.withResolvers<void>();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const replica = await serveState((asked) => {
      asked.once("data", () => begin());
      asked.once("close", () => resolve());
    });
    const proxy = await openProxy(place(replica));
    const upload = request(`${proxy.url}/terraform/x`, { method: "POST" });
    upload.on("error", () => undefined);
    upload.write("half");
    await begun;
    upload.destroy();
    await left;
    assert.deepEqual(log, []);
  });
});

/** What `count` answers once it does not change any more. */
async function whenStill(count: () => number): Promise<number> {
  let before = -1;
  return await poll(
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 150));
      return count();
    },
    (now) => {
      const still = now === before && now > 0;
      before = now;
      return still;
    },
  );
}

function place(server: TlsServer): string {
  const bound = server.address();
  return `https://127.0.0.1:${typeof bound === "object" && bound !== null ? bound.port : 0}`;
}
