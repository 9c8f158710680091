import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before, beforeEach, describe, test } from "node:test";
import { as, type Caller } from "@xcloudflow/chassis/caller";
import { createCodedClient } from "@xcloudflow/chassis/clients";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { listen } from "@xcloudflow/chassis/listen";
import { silentLogger } from "@xcloudflow/chassis/logger";
import { createMeshTransport } from "@xcloudflow/chassis/mesh-transport";
import { type MeshServer, serveMesh } from "@xcloudflow/chassis/serve-mesh";
import { CodedError } from "@xcloudflow/model/coded-error";
import { StateService } from "@xcloudflow/proto/state/v1/state_pb";
import { createTestAuthority, placeOf, type TestAuthority } from "../support/mesh-certificates.ts";

const clock = createSystemClock();
const caller: Caller = { tenant: "acme", subject: "service:api", groups: [], roles: ["service"], assurance: "service" };

class ShelfFullError extends CodedError {
  constructor() {
    super("SHELF_FULL", "unavailable", { what: "the shelf is full" });
  }
}

describe("calls to a service with several replicas", () => {
  let authority: TestAuthority;
  let calls: string[] = [];
  const servers = new Map<string, MeshServer>();
  let endless = Promise.withResolvers<void>();

  async function serve(name: string, port = 0): Promise<void> {
    const server = await serveMesh({
      routes: [
        (router) =>
          void router.service(StateService, {
            async putChangeSet({ id }, { signal }) {
              calls.push(name);
              if (id === "full") throw new ShelfFullError();
              if (id === "endless") {
                signal.addEventListener("abort", () => endless.resolve());
                await endless.promise;
              }
              return {};
            },
          }),
      ],
      tls: await authority.member("service/state"),
      trustDomain: "xcloudflow",
      listen: { host: "127.0.0.1", port },
      logger: silentLogger,
      clock,
      newReference: () => "ref",
      graceMs: 50,
    });
    servers.set(name, server);
  }
  const place = (name: string): string => placeOf(servers.get(name) ?? assert.fail(name));
  async function client(...places: readonly string[]) {
    const tls = await authority.member("service/api");
    const state = createCodedClient(StateService, createMeshTransport({ places: { state: places }, tls, clock }));
    return (id = "a", signal?: AbortSignal) =>
      state.putChangeSet({ id, digest: "d" }, { ...as(caller), ...(signal === undefined ? {} : { signal }) });
  }

  before(async () => {
    authority = await createTestAuthority();
    await serve("one");
    await serve("two");
  });
  after(async () => {
    for (const server of servers.values()) await server.close();
  });
  beforeEach(() => {
    calls = [];
    endless = Promise.withResolvers();
  });

  test("go round", async () => {
    const put = await client(place("one"), place("two"));
    for (let n = 0; n < 6; n++) await put();
    assert.deepEqual(Map.groupBy(calls, (name) => name).get("one")?.length, 3);
    assert.notEqual(calls[0], calls[1]);
  });

  test("go to another when one is away, and to the one that comes back", async () => {
    await serve("three");
    const { port } = servers.get("three")?.address ?? assert.fail();
    const put = await client(place("one"), place("three"));
    for (let n = 0; n < 2; n++) await put();
    assert.ok(calls.includes("three"));
    await servers.get("three")?.close();
    calls = [];
    for (let n = 0; n < 4; n++) await put();
    assert.deepEqual(new Set(calls), new Set(["one"]));
    await serve("three", port);
    calls = [];
    for (let n = 0; n < 4; n++) await put();
    assert.ok(calls.includes("three"), calls.join());
  });

  test("are made once more when the connection goes in the middle of one", async () => {
    await serve("four");
    const put = await client(place("four"), place("one"));
    const first = put("endless");
    while (calls.length === 0) await new Promise(setImmediate);
    const [served] = calls;
    if (served === "four") await servers.get("four")?.close();
    endless.resolve();
    await first;
    assert.deepEqual(calls, served === "four" ? ["four", "one"] : ["one"]);
  });

  test("are not made again once a replica has answered, whatever it said", async () => {
    const put = await client(place("one"), place("two"));
    await assert.rejects(put("full"), (error: unknown) => error instanceof CodedError && error.code === "SHELF_FULL");
    await assert.rejects(put(""), (error: unknown) => error instanceof CodedError && error.code === "REQUEST_INVALID");
    assert.equal(calls.length, 1);
  });

  test("end with their caller, and are not made again then", async () => {
    const put = await client(place("one"), place("two"));
    const left = new AbortController();
    const answer = put("endless", left.signal);
    while (calls.length === 0) await new Promise(setImmediate);
    left.abort();
    await assert.rejects(answer, (error: unknown) => error instanceof CodedError && error.category === "canceled");
    await endless.promise;
    assert.equal(calls.length, 1);
  });

  test("say which service is away, and where that is not known, which variable tells", async () => {
    const closed = createServer();
    const { port } = await listen(closed, { host: "127.0.0.1", port: 0 });
    closed.close();
    const put = await client(`https://127.0.0.1:${port}`);
    await assert.rejects(put(), /state cannot be reached/);
    const nowhere = await client();
    await assert.rejects(
      nowhere(),
      (error: unknown) =>
        error instanceof CodedError && error.code === "SERVICE_PLACE_MISSING" && error.where === "XCF_STATE_URL",
    );
  });
});
