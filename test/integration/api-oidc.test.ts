import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, beforeEach, describe, test } from "node:test";
import { type IssuerSettings, readIssuers } from "@xcloudflow/api/issuer-settings";
import { createJwtAuthenticate, looksLikeJwt } from "@xcloudflow/api/verify-jwt";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import type { Authenticate } from "@xcloudflow/chassis/edge-auth";
import { exportSPKI, generateKeyPair, importJWK } from "jose";
import { startTestIssuer, type TestIssuer } from "../support/test-issuer.ts";

const system = createSystemClock();
let shift = 0;
const clock = { now: () => new Date(system.now().getTime() + shift), schedule: system.schedule };
const base = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

describe("tokens of an OpenID Connect issuer", () => {
  let issuer: TestIssuer;
  let stranger: TestIssuer;
  let authenticate: Authenticate;

  const settings = (more: Partial<IssuerSettings> = {}): readonly IssuerSettings[] =>
    readIssuers(
      JSON.stringify([
        {
          name: "corp",
          issuer: issuer.url,
          audiences: ["xcloudflow"],
          tenant: { fixed: "acme" },
          login: { claim: "preferred_username", forge: "github" },
          bindings: [
            { group: "*", role: "viewer" },
            { group: "leads", role: "approver" },
            { group: "dev", role: "operator", environments: ["dev", "staging"] },
          ],
          ...more,
        },
      ]),
    );
  const make = (more: Partial<IssuerSettings> = {}): Authenticate =>
    createJwtAuthenticate(settings(more), { fetch, clock, cooldownMs: 10_000, maxAgeMs: 600_000, staleMs: 3_600_000 });
  const claims = { sub: "00u1", aud: "xcloudflow", email: "Ada@Example.com", email_verified: true };
  const refused = (token: string, code: string, by = authenticate): Promise<void> =>
    assert.rejects(by(token), { code, category: "unauthenticated" }, code);
  const requests = (): number => [...issuer.asked.values()].reduce((sum, count) => sum + count, 0);

  before(async () => {
    issuer = await startTestIssuer(clock.now);
    stranger = await startTestIssuer(clock.now);
  });
  after(async () => {
    await issuer.close();
    await stranger.close();
  });
  beforeEach(async () => {
    issuer.down = false;
    issuer.discovery = {};
    await issuer.rotate();
    issuer.asked.clear();
    authenticate = make();
  });

  test("become the caller that configuration makes of their claims", async () => {
    const token = await issuer.sign({
      ...claims,
      groups: ["leads", "dev"],
      preferred_username: "Ada-L",
      roles: ["admin"],
    });
    assert.ok(looksLikeJwt(token));
    assert.deepEqual(await authenticate(token), {
      tenant: "acme",
      subject: "ada@example.com",
      groups: ["leads", "dev"],
      roles: ["viewer", "approver"],
      assurance: "token",
      bindings: [{ role: "operator", environments: ["dev", "staging"] }],
      aliases: ["corp|00u1", "ada@example.com", "github:ada-l"],
    });
  });

  test("give no role to whom no binding names, and no address that the issuer has not verified", async () => {
    const strict = make({ bindings: [{ group: "leads", role: "approver" }] });
    const token = await issuer.sign({ ...claims, email_verified: false });
    assert.deepEqual(await strict(token), {
      tenant: "acme",
      subject: "corp|00u1",
      groups: [],
      roles: [],
      assurance: "token",
      aliases: ["corp|00u1"],
    });
    for (const email of ["service:state", "a@b@c", "root@x|y", " ada@example.com", "ada@example.com\nx"])
      assert.equal((await authenticate(await issuer.sign({ ...claims, email })))?.subject, "corp|00u1", email);
  });

  test("take the tenant from a claim only where that tenant is allowed", async () => {
    const many = make({ tenant: { claim: "org", allowed: ["acme", "globex"] } });
    assert.equal((await many(await issuer.sign({ ...claims, org: "globex" })))?.tenant, "globex");
    for (const org of ["initech", "", "*", ["acme"], undefined])
      await refused(await issuer.sign({ ...claims, org }), "JWT_CLAIMS_REFUSED", many);
  });

  test("are refused for the wrong audience, time or issuer", async () => {
    const now = Math.floor(clock.now().getTime() / 1_000);
    await refused(await issuer.sign({ ...claims, aud: "another" }), "JWT_AUDIENCE_WRONG");
    await refused(await issuer.sign({ ...claims, aud: undefined }), "JWT_AUDIENCE_WRONG");
    await refused(await issuer.sign({ ...claims, exp: now - 60 }), "JWT_EXPIRED");
    await refused(await issuer.sign({ ...claims, nbf: now + 60 }), "JWT_NOT_YET_VALID");
    await refused(await issuer.sign({ ...claims, exp: undefined }), "JWT_CLAIMS_REFUSED");
    await refused(await issuer.sign({ ...claims, sub: undefined }), "JWT_CLAIMS_REFUSED");
    await refused(await stranger.sign(claims), "JWT_ISSUER_UNKNOWN");
    await refused(await issuer.sign({ ...claims, iss: `${issuer.url}/` }), "JWT_ISSUER_UNKNOWN");
    await refused(await issuer.sign({ ...claims, iss: undefined }), "JWT_ISSUER_UNKNOWN");
    assert.equal(stranger.asked.size, 0, "an unknown issuer is not even asked");
    // Half a minute of difference between clocks is forgiven.
    assert.ok(await authenticate(await issuer.sign({ ...claims, exp: now - 10 })));
    assert.ok(await authenticate(await issuer.sign({ ...claims, nbf: now + 10 })));
  });

  test("are refused when somebody else signed them, or changed a bit", async () => {
    const { privateKey } = await generateKeyPair("RS256");
    await refused(await issuer.sign(claims, { key: privateKey }), "JWT_SIGNATURE_WRONG");
    await refused(
      await stranger.sign({ ...claims, iss: issuer.url }, { kid: String(issuer.publicKey().kid) }),
      "JWT_SIGNATURE_WRONG",
    );
    const [header = "", payload = "", signature = ""] = (await issuer.sign(claims)).split(".");
    const admin = base({ ...JSON.parse(Buffer.from(payload, "base64url").toString()), groups: ["leads"] });
    await refused(`${header}.${admin}.${signature}`, "JWT_SIGNATURE_WRONG");
  });

  test("are refused without a signature, or with one made from the public key", async () => {
    const now = Math.floor(clock.now().getTime() / 1_000);
    const body = base({ ...claims, iss: issuer.url, exp: now + 60 });
    const { kid } = issuer.publicKey();
    for (const alg of ["none", "None", "NONE", ""]) {
      const token = `${base({ alg, kid })}.${body}.`;
      await assert.rejects(authenticate(token), { category: "unauthenticated" }, alg);
    }
    const publicKey = await importJWK(issuer.publicKey(), "RS256");
    assert.ok(!(publicKey instanceof Uint8Array));
    for (const secret of [await exportSPKI(publicKey), JSON.stringify(issuer.publicKey()), ""]) {
      const head = base({ alg: "HS256", kid });
      const signature = createHmac("sha256", secret).update(`${head}.${body}`).digest("base64url");
      await refused(`${head}.${body}.${signature}`, "JWT_ALGORITHM_REFUSED");
    }
    await issuer.rotate("ES384");
    await refused(await issuer.sign(claims), "JWT_ALGORITHM_REFUSED");
    assert.ok(await make({ algorithms: ["ES384"] })(await issuer.sign(claims)));
  });

  test("are refused when they are no tokens", async () => {
    for (const text of ["", "x", "eyJ.x.y", "eyJhbGciOiJSUzI1NiJ9..", `eyJ${"a".repeat(20_000)}.a.a`])
      await assert.rejects(authenticate(text), { category: "unauthenticated" }, text.slice(0, 30));
  });

  test("are taken after the issuer's keys have turned, and the old ones no longer", async () => {
    const old = await issuer.sign(claims);
    assert.ok(await authenticate(old));
    await issuer.rotate();
    const fresh = await issuer.sign(claims);
    shift += 10_001;
    assert.ok(await authenticate(fresh));
    await refused(old, "JWT_KEY_UNKNOWN");
  });

  test("cost one look at the issuer, whatever number comes", async () => {
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, n) => issuer.sign({ ...claims, sub: `u${n}` })));
    await Promise.all(tokens.map(authenticate));
    assert.deepEqual([...issuer.asked.values()], [1, 1]);
    shift += 10_001;
    const forged = await Promise.all(
      Array.from({ length: 50 }, (_, n) => issuer.sign(claims, { kid: `invented-${n}` })),
    );
    await Promise.all(forged.map((token) => refused(token, "JWT_KEY_UNKNOWN")));
    for (const token of forged) await refused(token, "JWT_KEY_UNKNOWN");
    assert.deepEqual([...issuer.asked.values()], [2, 2], "one refresh, not a storm");
  });

  test("are neither accepted nor blamed while the issuer cannot be reached for the first time", async () => {
    issuer.down = true;
    const token = await issuer.sign(claims);
    const unavailable = { code: "ISSUER_UNAVAILABLE", category: "unavailable" };
    for (let n = 0; n < 10; n++) await assert.rejects(authenticate(token), unavailable);
    assert.equal(requests(), 1, "a broken issuer is not hammered");
    issuer.down = false;
    shift += 10_001;
    assert.ok(await authenticate(await issuer.sign(claims)));
  });

  test("are still checked with known keys for an hour while the issuer is away, and no longer", async () => {
    assert.ok(await authenticate(await issuer.sign(claims)));
    issuer.down = true;
    shift += 700_000;
    assert.ok(await authenticate(await issuer.sign(claims)));
    shift += 3_600_000;
    await assert.rejects(authenticate(await issuer.sign(claims)), { code: "ISSUER_UNAVAILABLE" });
  });

  test("are not checked with keys that discovery sends elsewhere", async () => {
    for (const discovery of [
      { issuer: "https://evil.example" },
      { jwks_uri: "http://evil.example/keys" },
      { jwks_uri: "file:///etc/passwd" },
      { jwks_uri: 5 },
    ]) {
      issuer.discovery = discovery;
      await assert.rejects(
        make()(await issuer.sign(claims)),
        { code: "ISSUER_UNAVAILABLE" },
        JSON.stringify(discovery),
      );
    }
  });

  test("come from issuers that are configured safely, or the process says all that is wrong", () => {
    const wrong = (change: Record<string, unknown>): string => {
      try {
        readIssuers(JSON.stringify([{ ...settings()[0], ...change }]));
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "CONFIG_INVALID") return error.message;
        throw error;
      }
      return "";
    };
    assert.equal(wrong({}), "");
    for (const change of [
      { issuer: "http://login.example.com" },
      { issuer: "https://user:pw@login.example.com" },
      { issuer: "ftp://login.example.com" },
      { algorithms: ["HS256"] },
      { algorithms: ["none"] },
      { algorithms: [] },
      { audiences: [] },
      { tenant: { claim: "org" } },
      { tenant: { fixed: "a b" } },
      { bindings: [{ group: "x", role: "service" }] },
      { bindings: [{ group: "x", role: "runner" }] },
      { bindings: [{ group: "x", role: "viewer", environments: [] }] },
      { skewSeconds: 3600 },
      { typo: 1 },
    ])
      assert.match(wrong(change), /XCF_ISSUERS\.0/, JSON.stringify(change));
    assert.match(wrong({ audiences: [], algorithms: ["none"] }), /audiences.*algorithms|algorithms.*audiences/);
    assert.throws(() => readIssuers("{"), { code: "CONFIG_INVALID" });
    assert.throws(() => readIssuers(JSON.stringify([...settings(), ...settings()])), /same name/);
  });
});
