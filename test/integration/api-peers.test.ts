import assert from "node:assert/strict";
import { it } from "node:test";
import { Code } from "@connectrpc/connect";
import { AdminTokenWeakError, keepAdminToken, readAdminToken } from "@xcloudflow/api/admin-token";
import { createApiService } from "@xcloudflow/api/api-service";
import type { ApiTables } from "@xcloudflow/api/migrations/api-tables";
import { apiSchema } from "@xcloudflow/api/migrations/migrations";
import { tokenRoutes } from "@xcloudflow/api/token-rpc";
import { formatToken, newSecret } from "@xcloudflow/api/token-text";
import { as, type Caller } from "@xcloudflow/chassis/caller";
import { createClients } from "@xcloudflow/chassis/clients";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { toConnectError } from "@xcloudflow/chassis/connect-errors";
import { createIds } from "@xcloudflow/chassis/ids";
import { silentLogger } from "@xcloudflow/chassis/logger";
import { createMemoryTransport } from "@xcloudflow/chassis/memory-transport";
import { createSystemRandom } from "@xcloudflow/chassis/random";
import { RateExceededError } from "@xcloudflow/chassis/rate-exceeded-error";
import { createRemoteAuthenticate, createTokenClient } from "@xcloudflow/chassis/remote-authenticate";
import { forEachDatabase } from "../support/databases.ts";

const admin: Caller = { tenant: "acme", subject: "root", groups: [], roles: ["admin"], assurance: "token" };

forEachDatabase("what api does for its peers and its first administrator", [apiSchema], (fixture) => {
  const system = createSystemClock();
  let shift = 0;
  const clock = { now: () => new Date(system.now().getTime() + shift), schedule: system.schedule };
  const context = () => ({
    database: fixture.database().withTables<ApiTables>(),
    clients: createClients(createMemoryTransport([], interceptors)),
    clock,
    ids: createIds(clock, createSystemRandom()),
    logger: silentLogger,
    version: "1.2.3",
    mode: "mesh" as const,
    rateLimit: { burst: 5, perSecond: 0.001 },
  });
  const interceptors = { logger: silentLogger, clock, newReference: () => "err_1" };
  const client = (api = createApiService(context())) =>
    createTokenClient(createMemoryTransport([tokenRoutes(api)], interceptors));
  const newText = (id: string): string => formatToken({ tenant: "acme", id, secret: newSecret() });

  it("tells a service, and nobody else, who a token stands for", async () => {
    const api = createApiService(context());
    const { token } = await api.createToken(admin, {
      role: "operator",
      subject: "ada",
      groups: ["leads"],
      writeState: true,
      expiresAt: "",
    });
    const authenticate = createRemoteAuthenticate(client(api), "state");
    assert.deepEqual(await authenticate(token), {
      tenant: "acme",
      subject: "ada",
      groups: ["leads"],
      roles: ["operator"],
      assurance: "token",
      writeState: true,
    });
    for (const wrong of ["", "x", newText("1"), "x".repeat(20_000)]) assert.equal(await authenticate(wrong), undefined);
    for (const roles of [["admin"], ["runner"], []] as const) {
      const call = client(api).authenticate({ token }, as({ ...admin, roles: [...roles] }));
      await assert.rejects(call, { code: "PERMISSION_MISSING" });
    }
  });

  it("hands on that a token makes too many calls", async () => {
    const api = createApiService(context());
    const { token } = await api.createToken(admin, {
      role: "viewer",
      subject: "",
      groups: [],
      writeState: false,
      expiresAt: "",
    });
    const authenticate = createRemoteAuthenticate(client(api), "state");
    for (let n = 0; n < 5; n++) await authenticate(token);
    await assert.rejects(authenticate(token), { code: "RATE_EXCEEDED", category: "exhausted" });
  });

  it("holds all tokens of a tenant together to a rate, and says when to come back", async () => {
    const api = createApiService({ ...context(), tenantRateLimit: { burst: 6, perSecond: 0.5 } });
    const issue = (tenant: string) =>
      api.createToken(
        { ...admin, tenant },
        { role: "viewer", subject: "ada", groups: [], writeState: false, expiresAt: "" },
      );
    const [one, two, other] = [await issue("acme"), await issue("acme"), await issue("globex")];
    for (let n = 0; n < 3; n++) for (const { token } of [one, two]) await api.authenticate(token);
    const refused = await api.authenticate(one.token).then(
      () => assert.fail("a seventh call passes"),
      (error: unknown) => error,
    );
    assert.ok(refused instanceof RateExceededError && refused.what.includes("this tenant"));
    const wire = toConnectError(refused);
    assert.equal(wire.code, Code.ResourceExhausted);
    assert.ok(Number(wire.metadata.get("retry-after")) >= 1);
    const types = wire.details.map((detail) => ("type" in detail ? detail.type : detail.desc.typeName));
    assert.ok(types.includes("google.rpc.RetryInfo"));
    assert.ok(await api.authenticate(other.token), "another tenant goes on");
  });

  it("limits a role to environments when the token says so", async () => {
    const api = createApiService(context());
    const wish = { role: "operator", subject: "ada", groups: [], writeState: false, expiresAt: "" };
    const { token, id } = await api.createToken(admin, { ...wish, environments: ["dev", "staging"] });
    const caller = await api.authenticate(token);
    assert.deepEqual([caller?.roles, caller?.bindings], [[], [{ role: "operator", environments: ["dev", "staging"] }]]);
    const stored = (await api.listTokens("acme")).find((one) => one.id === id);
    assert.deepEqual(stored?.environments, ["dev", "staging"]);
    const runner = api.createToken(admin, { ...wish, role: "runner", environments: ["dev"] });
    await assert.rejects(runner, { code: "RUNNER_TOKEN_LIMITED" });
    for (const environment of ["", "*", "Dev", "a/b"])
      await assert.rejects(api.createToken(admin, { ...wish, environments: [environment] }), {
        code: "TOKEN_ENVIRONMENT_INVALID",
      });
  });

  it("lets the configured administrator in, on every replica and after every start", async () => {
    const text = newText("first");
    const outcomes = await Promise.all([1, 2, 3].map(() => keepAdminToken(context(), readAdminToken(text))));
    assert.deepEqual(outcomes.sort(), ["added", "kept", "kept"]);
    const api = createApiService(context());
    assert.deepEqual((await api.authenticate(text))?.roles, ["admin"]);
    shift += 300 * 24 * 60 * 60 * 1000;
    assert.equal(await keepAdminToken(context(), readAdminToken(text)), "kept");
    shift += 300 * 24 * 60 * 60 * 1000;
    assert.equal((await api.authenticate(text))?.tenant, "acme", "a start moves the expiry");
    const [stored] = (await api.listTokens("acme")).filter(({ id }) => id === "tok_first");
    assert.equal(stored?.createdBy, "configuration");
  });

  it("puts another secret in the place of the earlier one, and does not undo a revocation", async () => {
    const api = createApiService(context());
    const [old, fresh] = [newText("turn"), newText("turn")];
    await keepAdminToken(context(), readAdminToken(old));
    assert.equal(await keepAdminToken(context(), readAdminToken(fresh)), "replaced");
    assert.equal(await api.authenticate(old), undefined);
    assert.ok(await api.authenticate(fresh));
    await api.revokeToken(admin, "tok_turn");
    assert.equal(await keepAdminToken(context(), readAdminToken(fresh)), "revoked");
    assert.equal(await api.authenticate(fresh), undefined);
  });

  it("does not take the place of a token that somebody made", async () => {
    const api = createApiService(context());
    const { id, token } = await api.createToken(admin, {
      role: "viewer",
      subject: "ada",
      groups: [],
      writeState: false,
      expiresAt: "",
    });
    await assert.rejects(keepAdminToken(context(), readAdminToken(newText(id.slice(4)))), {
      code: "ADMIN_TOKEN_TAKEN",
    });
    assert.deepEqual((await api.authenticate(token))?.roles, ["viewer"]);
  });

  it("refuses a configured token that could be guessed, without repeating it", () => {
    for (const text of [
      "",
      "secret",
      "xcf_acme.first.short",
      `xcf_acme.first.${"A".repeat(43)}`,
      `xcf_acme.first.${Buffer.from("0123456789".repeat(4).slice(0, 32)).toString("base64url")}`,
      `xcf_acme.first.${Buffer.from("password".repeat(4)).toString("base64url")}`,
      newText("first").replace(/.$/, "_"),
    ]) {
      assert.throws(
        () => readAdminToken(text),
        (error) =>
          error instanceof AdminTokenWeakError &&
          (text === "" || !error.message.includes(text.split(".").at(-1) ?? "")),
        text,
      );
    }
    readAdminToken(` ${newText("first")}\n`);
  });
});
