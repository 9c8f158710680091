import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { as, type Caller } from "@xcloudflow/chassis/caller";
import { createCodedClient } from "@xcloudflow/chassis/clients";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createLogger } from "@xcloudflow/chassis/logger";
import { createMeshTransport } from "@xcloudflow/chassis/mesh-transport";
import type { MeshService } from "@xcloudflow/chassis/peer-identity";
import { type MeshServer, serveMesh } from "@xcloudflow/chassis/serve-mesh";
import type { TlsMaterial } from "@xcloudflow/chassis/tls-files";
import { CodedError } from "@xcloudflow/model/coded-error";
import { StateService } from "@xcloudflow/proto/state/v1/state_pb";
import { createTestAuthority, placeOf, type TestAuthority } from "../support/mesh-certificates.ts";

const clock = createSystemClock();
const service: Caller = {
  tenant: "acme",
  subject: "service:api",
  groups: [],
  roles: ["service"],
  assurance: "service",
};
const log: string[] = [];
const logger = createLogger({ level: "debug", now: () => new Date(), write: (line) => void log.push(line) });

async function serveState(tls: TlsMaterial): Promise<MeshServer> {
  return await serveMesh({
    routes: [(router) => void router.service(StateService, { putChangeSet: () => ({}) })],
    tls,
    trustDomain: "xcloudflow",
    listen: { host: "127.0.0.1", port: 0 },
    logger,
    clock,
    newReference: () => "ref",
    graceMs: 100,
  });
}

describe("a member of the mesh", () => {
  let authority: TestAuthority;
  let server: MeshServer;
  before(async () => {
    authority = await createTestAuthority();
    server = await serveState(await authority.member("service/state"));
  });
  after(() => server.close());

  const call = (tls: TlsMaterial, place = placeOf(server), name: MeshService = "state"): Promise<object> =>
    createCodedClient(StateService, createMeshTransport({ places: { [name]: [place] }, tls, clock })).putChangeSet(
      { id: "a", digest: "b" },
      as(service),
    );
  async function refusal(tls: TlsMaterial, place?: string): Promise<CodedError> {
    const reason: unknown = await call(tls, place).then(
      () => assert.fail("the call should have been refused"),
      (error: unknown) => error,
    );
    assert.ok(reason instanceof CodedError, String(reason));
    return reason;
  }

  test("answers another that has a certificate of the same authority", async () => {
    await call(await authority.member("service/orchestrator"));
  });

  test("refuses a certificate of another authority, which says so to both", async () => {
    const other = await createTestAuthority();
    const stranger = await other.member("service/api");
    log.length = 0;
    assert.equal((await refusal(stranger)).code, "PEER_UNTRUSTED");
    // One that believes us, and that we do not believe.
    assert.equal((await refusal({ ...stranger, ca: authority.ca })).code, "PEER_UNTRUSTED");
    assert.ok(log.some((line) => line.includes("a connection was refused")));
  });

  test("refuses who shows no certificate", async () => {
    const nodeOptions = { ca: authority.ca };
    const transport = createGrpcTransport({ baseUrl: placeOf(server), nodeOptions });
    log.length = 0;
    const call = createCodedClient(StateService, transport).putChangeSet({ id: "a", digest: "b" }, as(service));
    await assert.rejects(call, (error: unknown) => error instanceof CodedError && error.category !== "forbidden");
    assert.match(log.join(), /a connection was refused.*peer did not return a certificate/);
  });

  test("refuses a certificate that has expired, and one that is not valid yet", async () => {
    const old = await createTestAuthority(400);
    const expired = await serveState(await old.member("service/state"));
    try {
      const error = await refusal(await old.member("service/api"), placeOf(expired));
      assert.equal(error.code, "PEER_UNTRUSTED");
      assert.match(error.message, /expired/);
    } finally {
      await expired.close();
    }
    const early = await createTestAuthority(-30);
    const future = await serveState(await early.member("service/state"));
    try {
      assert.match((await refusal(await early.member("service/api"), placeOf(future))).message, /not yet valid/);
    } finally {
      await future.close();
    }
  });

  test("takes a runner for a runner, whoever it claims to speak for", async () => {
    const error = await refusal(await authority.member("runner/acme/plan"));
    assert.deepEqual([error.code, error.category], ["PERMISSION_MISSING", "forbidden"]);
    const other = await refusal(await authority.member("runner/globex/plan"));
    assert.equal(other.code, "PEER_REFUSED");
  });

  test("refuses a certificate that names nobody, or nobody of this mesh", async () => {
    for (const name of [undefined, "service/console", "service/state/x", "spy"])
      assert.equal((await refusal(await authority.member(name))).code, "PEER_UNKNOWN", name);
  });

  test("is not fooled by another member that answers in a service's place", async () => {
    for (const name of ["runner/*/apply", "service/router", undefined]) {
      const impostor = await serveState(await authority.member(name));
      try {
        const error = await refusal(await authority.member("service/api"), placeOf(impostor));
        assert.equal(error.code, "PEER_UNTRUSTED", name);
        assert.match(error.message, /who answers is not state/);
      } finally {
        await impostor.close();
      }
    }
  });
});
