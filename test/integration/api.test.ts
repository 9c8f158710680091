import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import type { ConnectRouter } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { ApiContext } from "@xcloudflow/api/api-context";
import { apiRoutes } from "@xcloudflow/api/api-rpc";
import { type ApiService, createApiService } from "@xcloudflow/api/api-service";
import type { ApiTables } from "@xcloudflow/api/migrations/api-tables";
import { apiSchema } from "@xcloudflow/api/migrations/migrations";
import { type AuditServiceInstance, createAuditService } from "@xcloudflow/audit/audit-service";
import { auditSchema } from "@xcloudflow/audit/migrations/migrations";
import { type Caller, callerOf, type Role } from "@xcloudflow/chassis/caller";
import { createApiClient, createClients } from "@xcloudflow/chassis/clients";
import type { Clock } from "@xcloudflow/chassis/clock";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createIds } from "@xcloudflow/chassis/ids";
import { loadOrCreateKeyPair } from "@xcloudflow/chassis/keys";
import { createLogger } from "@xcloudflow/chassis/logger";
import { createMemoryBus } from "@xcloudflow/chassis/memory-bus";
import { createMemoryTransport } from "@xcloudflow/chassis/memory-transport";
import { createSystemRandom } from "@xcloudflow/chassis/random";
import { type RunningServer, serveRoutes } from "@xcloudflow/chassis/serve";
import { edgeInterceptors } from "@xcloudflow/chassis/server-interceptors";
import { createRelay, type Relay } from "@xcloudflow/database/relay";
import { findUnprotectedRelations } from "@xcloudflow/database/row-security";
import { OrchestratorService } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { sql } from "kysely";
import { z } from "zod";
import { forEachDatabase } from "../support/databases.ts";
import { callerKinds, grpcJsClient, grpcurl } from "../support/grpc-tools.ts";

const admin: Caller = {
  tenant: "default",
  subject: "root@example.com",
  groups: [],
  roles: ["admin"],
  assurance: "asserted",
};
const ROLES = ["viewer", "planner", "approver", "operator", "admin", "runner"] as const satisfies readonly Role[];

/** Stands in for the orchestrator, to see in whose name it is called and when a stream is left. */
function orchestratorRoutes(seen: Caller[], left: () => void) {
  return (router: ConnectRouter): void => {
    router.service(OrchestratorService, {
      startRun: ({ kind, idempotencyKey }, context) => {
        seen.push(callerOf(context));
        return { run: { id: `run_${kind}_${idempotencyKey}` } };
      },
      listRuns: (_request, context) => {
        seen.push(callerOf(context));
        return { runs: [] };
      },
      async *watchRun(_request, { signal }) {
        yield { sequence: 1n };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        left();
      },
    });
  };
}

const infoSchema = z.object({ subject: z.string() });
const errorSchema = z.object({
  code: z.string(),
  details: z.array(z.object({ type: z.string(), debug: z.record(z.string(), z.unknown()) })),
});

forEachDatabase("the public edge", [apiSchema, auditSchema], (fixture) => {
  const seen: Caller[] = [];
  const log: string[] = [];
  let left = Promise.withResolvers<void>();
  let shift = 0;
  const system = createSystemClock();
  const clock: Clock = { now: () => new Date(system.now().getTime() + shift), schedule: system.schedule };
  let folder: string;
  let context: ApiContext;
  let api: ApiService;
  let audit: AuditServiceInstance;
  let relay: Relay;
  let server: RunningServer;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "xcf-api-"));
    const database = fixture.database();
    const ids = createIds(clock, createSystemRandom());
    const logger = createLogger({ level: "debug", now: () => clock.now(), write: (line) => void log.push(line) });
    const bus = createMemoryBus({ clock: system, onHandlerError: () => undefined });
    const interceptorOptions = { logger, clock, newReference: () => ids.next("err") };
    audit = await createAuditService({
      database,
      bus,
      clock: system,
      ids,
      logger,
      signingKey: await loadOrCreateKeyPair(folder, "audit"),
      checkpointFolder: join(folder, "checkpoints"),
    });
    relay = createRelay({
      database,
      bus,
      clock: system,
      service: "api",
      pollMs: 60_000,
      keepMs: 60_000,
      onError: () => undefined,
    });
    const internal = createMemoryTransport(
      [audit.routes, orchestratorRoutes(seen, () => left.resolve())],
      interceptorOptions,
    );
    context = {
      database: database.withTables<ApiTables>(),
      clients: createClients(internal),
      clock,
      ids,
      logger,
      version: "1.2.3",
      mode: "mesh",
      rateLimit: { burst: 50, perSecond: 1 },
    };
    api = createApiService(context);
    server = await serveRoutes({
      routes: [apiRoutes(context, api), audit.routes, orchestratorRoutes(seen, () => left.resolve())],
      interceptors: edgeInterceptors(interceptorOptions),
      authenticate: api.authenticate,
      grpc: { host: "127.0.0.1", port: 0 },
      http: { host: "127.0.0.1", port: 0 },
      graceMs: 200,
    });
  });
  after(async () => {
    await server.close();
    await relay.close();
    await audit.close();
    await rm(folder, { recursive: true, force: true });
  });

  const issue = (role: Role, more: Partial<Parameters<ApiService["createToken"]>[1]> = {}, creator = admin) =>
    api.createToken(creator, {
      role,
      subject: "ada@example.com",
      groups: ["leads"],
      writeState: false,
      expiresAt: "",
      ...more,
    });
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
  const client = () => createApiClient(createConnectTransport({ baseUrl: server.http.url, httpVersion: "1.1" }));

  it("leaves no table unprotected", async () => {
    assert.deepEqual(await findUnprotectedRelations(fixture.database(), ["api"]), []);
  });

  it("knows who a token stands for", async () => {
    const { token } = await issue("operator", { writeState: true });
    const info = await client().getServerInfo({}, bearer(token));
    assert.deepEqual(
      [info.version, info.mode, info.tenant, info.subject, info.groups, info.roles],
      ["1.2.3", "mesh", "default", "ada@example.com", ["leads"], ["operator"]],
    );
    assert.deepEqual(await api.authenticate(token), {
      tenant: "default",
      subject: "ada@example.com",
      groups: ["leads"],
      roles: ["operator"],
      assurance: "token",
      writeState: true,
    });
  });

  it("keeps no token that could be used again", async () => {
    const { token } = await issue("viewer");
    const secret = token.split(".").at(-1) ?? "";
    assert.equal(secret.length, 43);
    await fixture.database().asOwner("test.read-tokens", async (tx) => {
      await sql`alter table api.tokens no force row level security`.execute(tx);
      const { rows } = await sql<{
        text: string;
      }>`select t::text as text from api.tokens t union all select convert_from(event, 'UTF8') from api.outbox`.execute(
        tx,
      );
      await sql`alter table api.tokens force row level security`.execute(tx);
      assert.ok(rows.length > 0);
      for (const { text } of rows)
        assert.ok(!text.includes(secret) && !text.includes(Buffer.from(secret, "base64url").toString("hex")));
    });
    assert.ok(log.every((line) => !line.includes(secret)));
  });

  it("refuses a token that is forged, another tenant's, expired or revoked", async () => {
    const { id, token } = await issue("viewer");
    const [head = "", , secret = ""] = token.split(".");
    const other = await issue("viewer", {}, { ...admin, tenant: "other" });
    for (const forged of [
      `${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`,
      token.replace("xcf_default", "xcf_other"),
      `${head}.${other.id.slice(4)}.${secret}`,
      `xcf_*.${id.slice(4)}.${secret}`,
      `xcf_.${id.slice(4)}.${secret}`,
      "x".repeat(5000),
    ]) {
      await assert.rejects(client().getServerInfo({}, bearer(forged)), { code: "TOKEN_INVALID" }, forged);
    }
    await client().getServerInfo({}, bearer(token));
    await api.revokeToken(admin, id);
    await api.revokeToken(admin, id);
    await assert.rejects(client().getServerInfo({}, bearer(token)), { code: "TOKEN_INVALID" });
    await assert.rejects(api.revokeToken({ ...admin, tenant: "other" }, id), /no token/);
    const short = await issue("viewer", { expiresAt: new Date(clock.now().getTime() + 60_000).toISOString() });
    await client().getServerInfo({}, bearer(short.token));
    shift += 60_001;
    await assert.rejects(client().getServerInfo({}, bearer(short.token)), { code: "TOKEN_INVALID" });
  });

  it("refuses an expiry that makes no sense", async () => {
    for (const expiresAt of ["tomorrow", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "5"]) {
      await assert.rejects(issue("viewer", { expiresAt }), { code: "TOKEN_EXPIRY_INVALID" }, expiresAt);
    }
  });

  it("makes, lists and revokes tokens for an admin only, each an audit event", async () => {
    const boss = await issue("admin", { subject: "boss" });
    const made = await client().createToken({ role: "planner", groups: ["x"] }, bearer(boss.token));
    assert.match(made.token, /^xcf_default\./);
    assert.equal((await client().getServerInfo({}, bearer(made.token))).subject, "boss");
    const { tokens } = await client().listTokens({}, bearer(boss.token));
    const mine = tokens.find(({ id }) => id === made.id);
    assert.deepEqual([mine?.role, mine?.subject, mine?.groups, mine?.revokedAt], ["planner", "boss", ["x"], ""]);
    await client().revokeToken({ id: made.id }, bearer(boss.token));
    await relay.flush();
    await audit.close();
    const { entries } = await client().queryAudit({ subject: made.id }, bearer(boss.token));
    assert.deepEqual(
      entries
        .map(({ leaf }) => JSON.parse(new TextDecoder().decode(leaf)))
        .map(({ type, xcfactor }) => [type, xcfactor]),
      [
        ["io.xcloudflow.api.token.revoked", "user:boss"],
        ["io.xcloudflow.api.token.created", "user:boss"],
      ],
    );
    for (const role of ROLES.filter((name) => name !== "admin")) {
      const { token } = await issue(role);
      await assert.rejects(
        client().createToken({ role: "viewer" }, bearer(token)),
        { code: "PERMISSION_MISSING" },
        role,
      );
    }
    await assert.rejects(client().createToken({ role: "service" }, bearer(boss.token)), { code: "REQUEST_INVALID" });
  });

  it("passes verbs on in the caller's name", async () => {
    const { token } = await issue("planner");
    seen.length = 0;
    const { run } = await client().startRun({ kind: "plan", idempotencyKey: "k1" }, bearer(token));
    assert.equal(run?.id, "run_plan_k1");
    assert.deepEqual([seen[0]?.subject, seen[0]?.roles, seen[0]?.assurance], ["ada@example.com", ["planner"], "token"]);
  });

  it("lets a planner start a plan and no apply", async () => {
    const planner = await issue("planner");
    await assert.rejects(client().startRun({ kind: "apply" }, bearer(planner.token)), { code: "PERMISSION_MISSING" });
    const orchestrator = createClients(
      createConnectTransport({ baseUrl: server.http.url, httpVersion: "1.1" }),
    ).orchestrator;
    const around = orchestrator.startRun({ kind: "apply" }, bearer(planner.token));
    await assert.rejects(around, { code: "PERMISSION_MISSING" }, "nor past the edge's own service");
    const operator = await issue("operator");
    assert.equal((await client().startRun({ kind: "apply" }, bearer(operator.token))).run?.id, "run_apply_");
  });

  it("ends the inner stream when the outer reader leaves", { timeout: 5_000 }, async () => {
    left = Promise.withResolvers();
    const { token } = await issue("viewer");
    for await (const _ of client().watchRun({ id: "r" }, bearer(token))) break;
    await left.promise;
  });

  it("slows down a token that calls too often, and no other", async () => {
    const { token } = await issue("viewer");
    const other = await issue("viewer");
    const answers = await Promise.allSettled(Array.from({ length: 120 }, () => api.authenticate(token)));
    const refused = answers.filter((answer) => answer.status === "rejected");
    assert.ok(refused.length >= 50 && refused.length <= 70, `${refused.length} refused`);
    assert.equal(refused[0]?.reason.code, "RATE_EXCEEDED");
    await client().getServerInfo({}, bearer(other.token));
  });

  it("is listed, described and called by grpcurl", async () => {
    const { token } = await issue("viewer");
    const { host, port } = server.grpc;
    const target = `${host}:${port}`;
    const authorization = `authorization: Bearer ${token}`;
    const listed = await grpcurl(["-plaintext", "-H", authorization, target, "list"]);
    assert.deepEqual(listed.stdout.trim().split("\n"), [
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "xcloudflow.api.v1.ApiService",
      "xcloudflow.audit.v1.AuditService",
      "xcloudflow.orchestrator.v1.OrchestratorService",
    ]);
    const described = await grpcurl([
      "-plaintext",
      "-H",
      authorization,
      target,
      "describe",
      "xcloudflow.api.v1.ApiService.StartRun",
    ]);
    assert.match(described.stdout, /rpc StartRun \( \.xcloudflow\.orchestrator\.v1\.StartRunRequest \)/);
    assert.match(described.stdout, /permission/);
    const called = await grpcurl([
      "-plaintext",
      "-H",
      authorization,
      target,
      "xcloudflow.api.v1.ApiService/GetServerInfo",
    ]);
    assert.equal(JSON.parse(called.stdout).subject, "ada@example.com");
    const health = await grpcurl([
      "-plaintext",
      "-reflect-header",
      authorization,
      target,
      "grpc.health.v1.Health/Check",
    ]);
    assert.equal(JSON.parse(health.stdout).status, "SERVING");
    const refused = await grpcurl([
      "-plaintext",
      "-H",
      authorization,
      "-d",
      '{"role":"viewer"}',
      target,
      "xcloudflow.api.v1.ApiService/CreateToken",
    ]);
    assert.match(refused.stderr, /Code: PermissionDenied/);
    assert.match(refused.stderr, /PERMISSION_MISSING/);
    assert.match((await grpcurl(["-plaintext", target, "list"])).stderr, /carries no API token/);
    assert.match(
      (
        await grpcurl([
          "-plaintext",
          "-reflect-header",
          authorization,
          target,
          "xcloudflow.api.v1.ApiService/GetServerInfo",
        ])
      ).stderr,
      /Code: Unauthenticated/,
    );
  });

  it("is called by @grpc/grpc-js from nothing but its reflection", async () => {
    const { token } = await issue("operator");
    const { unary, stream, failure, close } = await grpcJsClient(server.grpc, token, "xcloudflow.api.v1.ApiService");
    try {
      assert.equal((await unary("GetServerInfo", {}))["tenant"], "default");
      assert.deepEqual(await unary("StartRun", { kind: "plan", idempotency_key: "js" }), {
        run: { id: "run_plan_js" },
      });
      assert.equal((await stream("WatchRun", { id: "r" }, 1)).length, 1);
      const refused = await failure("CreateToken", { role: "viewer" });
      assert.equal(refused.code, callerKinds.PERMISSION_DENIED);
      assert.match(refused.details, /needs the role admin/);
      const invalid = await failure("GetRun", {});
      assert.equal(invalid.code, callerKinds.INVALID_ARGUMENT);
    } finally {
      close();
    }
  });

  it("is called by plain HTTP with JSON", async () => {
    const { token } = await issue("viewer");
    const call = (path: string, body: string, headers: Record<string, string> = {}) =>
      fetch(`${server.http.url}/${path}`, {
        method: "POST",
        body,
        headers: { "content-type": "application/json", ...headers },
      });
    const info = await call("xcloudflow.api.v1.ApiService/GetServerInfo", "{}", { authorization: `Bearer ${token}` });
    assert.equal(infoSchema.parse(await info.json()).subject, "ada@example.com");
    const refused = await call("xcloudflow.api.v1.ApiService/GetServerInfo", "{}");
    assert.equal(refused.status, 401);
    const error = errorSchema.parse(await refused.json());
    assert.equal(error.code, "unauthenticated");
    assert.deepEqual(
      error.details.map(({ type }) => type),
      ["xcloudflow.common.v1.ErrorDetail", "google.rpc.ErrorInfo"],
    );
    assert.equal(error.details[0]?.debug["code"], "TOKEN_MISSING");
    assert.equal((await call("grpc.health.v1.Health/Check", "{}")).status, 200);
  });
});
