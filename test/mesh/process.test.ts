import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { as, type Caller } from "@xcloudflow/chassis/caller";
import { createCodedClient } from "@xcloudflow/chassis/clients";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createMeshTransport } from "@xcloudflow/chassis/mesh-transport";
import { takeFreePorts } from "@xcloudflow/mesh/free-ports";
import { policySchema } from "@xcloudflow/policy/migrations/migrations";
import { RouterService } from "@xcloudflow/proto/router/v1/router_pb";
import { sql } from "kysely";
import { requireEngine } from "../support/engines.ts";
import { createTestAuthority, type TestAuthority } from "../support/mesh-certificates.ts";
import { startMeshProcess } from "../support/mesh-process-cli.ts";
import { startNatsServer } from "../support/nats-server-cli.ts";
import { poll } from "../support/poll.ts";
import { createPostgresUrl, openPostgres } from "../support/postgres.ts";

const ROUTER = "services/router/src/main.ts";
const service: Caller = { tenant: "acme", subject: "service:x", groups: [], roles: ["service"], assurance: "service" };

let authority: TestAuthority;
let folder: string;
before(async () => {
  authority = await createTestAuthority();
  folder = await mkdtemp(join(tmpdir(), "xcf-process-"));
});
after(() => rm(folder, { recursive: true, force: true }));

/** Files of a member's certificate, as settings name them. */
async function tlsSettings(name: string, from = authority): Promise<Record<string, string>> {
  const { cert, key, ca } = await from.member(`service/${name}`);
  const place = await mkdtemp(join(folder, "tls-"));
  for (const [file, bytes] of [["cert", cert] as const, ["key", key] as const, ["ca", ca] as const])
    await writeFile(join(place, file), bytes);
  return {
    XCF_TLS_CERT: join(place, "cert"),
    XCF_TLS_KEY: join(place, "key"),
    XCF_TLS_CA: join(place, "ca"),
  };
}

async function addresses() {
  const [mesh = 0, probe = 0] = await takeFreePorts(2);
  return {
    settings: { XCF_LISTEN: `127.0.0.1:${mesh}`, XCF_PROBE_LISTEN: `127.0.0.1:${probe}` },
    url: `https://127.0.0.1:${mesh}`,
    async ready(): Promise<{ readonly status: number; readonly why: string }> {
      const answer = await fetch(`http://127.0.0.1:${probe}/readyz`);
      return { status: answer.status, why: await answer.text() };
    },
  };
}

describe("a process of the mesh", () => {
  test("with wrong settings ends with 78 and one line that names all of them and none of their values", async () => {
    const running = startMeshProcess(ROUTER, { XCF_LISTEN: "canary-1", XCF_LOG: "canary-2" });
    assert.equal(await running.ended(), 78);
    assert.equal(running.lines.length, 1);
    for (const name of ["XCF_LISTEN", "XCF_LOG", "XCF_TLS_CERT", "XCF_TLS_KEY", "XCF_TLS_CA"])
      assert.match(running.lines[0] ?? "", new RegExp(name));
    assert.match(running.lines[0] ?? "", /CONFIG_INVALID/);
    assert.doesNotMatch(running.lines[0] ?? "", /canary/);
  });

  test("with a certificate that cannot be right ends with 78 and one line that names the file", async () => {
    const { settings } = await addresses();
    const good = await tlsSettings("router");
    const other = await createTestAuthority();
    const expired = await createTestAuthority(500);
    for (const [wrong, said] of [
      [{ XCF_TLS_KEY: (await tlsSettings("router"))["XCF_TLS_KEY"] ?? "" }, /the key is not the one of/],
      [{ XCF_TLS_CA: (await tlsSettings("router", other))["XCF_TLS_CA"] ?? "" }, /was not issued by/],
      [{ XCF_TLS_CERT: join(folder, "nowhere.pem") }, /cannot be read.*nowhere\.pem/],
      [await tlsSettings("router", expired), /is valid from/],
    ] as const) {
      const running = startMeshProcess(ROUTER, { ...settings, ...good, ...wrong });
      assert.equal(await running.ended(), 78);
      assert.equal(running.lines.length, 1);
      assert.match(running.lines[0] ?? "", said);
    }
  });

  test("serves, drains on SIGTERM and ends with 0", async () => {
    const { settings, url, ready } = await addresses();
    const running = startMeshProcess(ROUTER, { ...settings, ...(await tlsSettings("router")) });
    await running.untilLine(/"serving"/);
    assert.deepEqual(await ready(), { status: 200, why: "ok\n" });
    const tls = await authority.member("service/planner");
    const transport = createMeshTransport({ places: { router: [url] }, tls, clock: createSystemClock() });
    const call = createCodedClient(RouterService, transport).route({}, as(service));
    await assert.rejects(call, { code: "REQUEST_INVALID" });
    running.child.kill("SIGTERM");
    assert.equal(await running.ended(), 0);
    assert.ok(running.lines.some((line) => line.includes("draining")) && running.lines.at(-1)?.includes("ended"));
  });

  test("ends with whoever holds its leash", async () => {
    const { settings } = await addresses();
    const leash = { XCF_PARENT_PIPE: "1", ...settings, ...(await tlsSettings("router")) };
    const running = startMeshProcess(ROUTER, leash);
    await running.untilLine(/"serving"/);
    running.child.stdin?.end();
    assert.equal(await running.ended(), 1);
  });

  test("cannot listen where another does, and says so", async () => {
    const { settings } = await addresses();
    const tls = await tlsSettings("router");
    const first = startMeshProcess(ROUTER, { ...settings, ...tls });
    await first.untilLine(/"serving"/);
    const { XCF_LISTEN } = settings;
    const second = startMeshProcess(ROUTER, { XCF_LISTEN, ...tls });
    assert.equal(await second.ended(), 1);
    assert.match(second.lines.join("\n"), /ADDRESS_UNAVAILABLE/);
    first.child.kill("SIGTERM");
    await first.ended();
  });
});

describe("a process whose schema is of another version", { skip: requireEngine("nats-server").skip }, () => {
  const breaking =
    "insert into policy.migrations (position, name, checksum, breaks_older) values (9999, '9999-from-tomorrow', 'x', true)";
  for (const [kind, spoil, mend] of [
    ["newer, in a way that breaks it", breaking, "delete from policy.migrations where name = '9999-from-tomorrow'"],
    [
      "older",
      "create table public.kept as select * from policy.migrations order by position desc limit 1; delete from policy.migrations where position = (select max(position) from policy.migrations)",
      "insert into policy.migrations select * from public.kept",
    ],
  ] as const)
    test(`(${kind}) parks: it stays, is not ready, says why once, and goes on when that is mended`, async () => {
      const nats = await startNatsServer();
      const databaseUrl = await createPostgresUrl([policySchema], "superuser");
      const owner = await openPostgres(databaseUrl);
      const run = (text: string) =>
        owner.asOwner("spoil", async (tx) => {
          for (const statement of text.split("; ")) await sql.raw(statement).execute(tx);
        });
      await run(spoil);
      const { settings, ready } = await addresses();
      const running = startMeshProcess("services/policy/src/main.ts", {
        ...settings,
        ...(await tlsSettings("policy")),
        XCF_DATABASE_URL: databaseUrl,
        XCF_NATS_URL: nats.url,
      });
      try {
        assert.match(await running.untilLine(/waiting to start/), /SCHEMA_(NEWER|OLDER)/);
        const { status, why } = await ready();
        assert.equal(status, 503);
        assert.match(why, /schema/);
        await run(mend);
        await poll(ready, (answer) => answer.status === 200, 30_000);
        assert.equal(running.lines.filter((line) => line.includes("waiting to start")).length, 1);
        assert.equal(running.child.exitCode, null);
      } finally {
        running.child.kill("SIGTERM");
        assert.equal(await running.ended(), 0);
        await owner.close();
        await nats.stop();
      }
    });
});
