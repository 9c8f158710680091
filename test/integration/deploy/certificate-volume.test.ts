import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { createClient } from "@connectrpc/connect";
import { as } from "@xcloudflow/chassis/caller";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { readKeyPairFile, readPublicKey } from "@xcloudflow/chassis/key-files";
import { createAgeKeyEncryption } from "@xcloudflow/chassis/keyring-age";
import { silentLogger } from "@xcloudflow/chassis/logger";
import { createMeshTransport } from "@xcloudflow/chassis/mesh-transport";
import { readTlsFiles } from "@xcloudflow/chassis/tls-files";
import { prepareCertificateVolume } from "@xcloudflow/mesh/certificate-volume";
import { RouterService } from "@xcloudflow/proto/router/v1/router_pb";
import { execa } from "execa";
import { parse } from "yaml";
import { z } from "zod";

const root = dirname(dirname(dirname(import.meta.dirname)));
const clock = createSystemClock();
const compose = z
  .object({ services: z.object({ ca: z.object({ environment: z.record(z.string(), z.string()) }) }) })
  .parse(parse(readFileSync(join(root, "docker-compose.yml"), "utf8"), { merge: true }));
const asked = compose.services.ca.environment["XCF_CA_MEMBERS"] ?? "";
const members = asked.split(",");

describe("the certificates and keys of the compose file", () => {
  const top = mkdtempSync(join(tmpdir(), "xcf-ca-"));
  const folder = join(top, "certificates");
  after(() => rmSync(top, { recursive: true }));

  const runCa = (environment: Record<string, string>) =>
    execa(process.execPath, [join(root, "deploy/mesh/src/ca-main.ts")], {
      env: { PATH: process.env["PATH"] ?? "", ...environment },
      extendEnv: false,
      reject: false,
      timeout: 60_000,
    });
  const texts = (): Record<string, string> =>
    Object.fromEntries(
      globSync("**/*", { cwd: folder, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()
        .map((path) => [path.slice(folder.length + 1), readFileSync(path, "utf8")]),
    );
  const tlsOf = (name: string, place = folder) =>
    readTlsFiles(
      { cert: join(place, name, "tls.crt"), key: join(place, name, "tls.key"), ca: join(place, name, "ca.crt") },
      clock.now(),
    );
  const prepare = (place: string, names: readonly string[], now: Date) =>
    prepareCertificateVolume({ folder: place, members: names, owner: undefined, now, logger: silentLogger });

  it("are made once, and a second start changes nothing", { timeout: 120_000 }, async () => {
    const first = await runCa({ XCF_CA_FOLDER: folder, XCF_CA_MEMBERS: asked });
    assert.equal(first.exitCode, 0, first.stderr);
    const made = texts();
    assert.deepEqual(
      Object.keys(made),
      [
        ...members.flatMap((name) => ["ca.crt", "tls.crt", "tls.key"].map((file) => `${name}/${file}`)),
        "attempt/attempt.pem",
        "attempt-public/attempt.pub.pem",
        "state-key/state.age",
        "audit-key/audit.pem",
        "authority/ca.crt",
        "authority/ca.key",
      ].sort(),
    );
    const second = await runCa({ XCF_CA_FOLDER: folder, XCF_CA_MEMBERS: asked });
    assert.equal(second.exitCode, 0, second.stderr);
    assert.deepEqual(texts(), made);
    await readKeyPairFile(join(folder, "audit-key/audit.pem"));
    const pair = await readKeyPairFile(join(folder, "attempt/attempt.pem"));
    const half = await readPublicKey(join(folder, "attempt-public/attempt.pub.pem"));
    assert.ok(half.equals(pair.publicKey));
    await createAgeKeyEncryption(join(folder, "state-key/state.age"));
  });

  it("name each member as the mesh knows it", async () => {
    const expected: Record<string, string> = {
      router: "URI:spiffe://xcloudflow/service/router",
      "runner-terraform-plan": "URI:spiffe://xcloudflow/runner/*/plan",
      "runner-terraform-apply": "URI:spiffe://xcloudflow/runner/*/apply",
      nats: "",
    };
    for (const name of members) {
      const names = (new X509Certificate((await tlsOf(name)).cert).subjectAltName ?? "").split(", ");
      assert.ok(names.includes(`DNS:${name}`) && names.includes("DNS:localhost"), names.join());
      const uri = names.filter((entry) => entry.startsWith("URI:")).join();
      assert.equal(uri, expected[name] ?? `URI:spiffe://xcloudflow/service/${name}`);
    }
  });

  it("can be read by the images' user alone", { skip: process.getuid?.() !== 0 && "needs root" }, () => {
    for (const path of Object.keys(texts())) {
      const inside = statSync(join(folder, path));
      const above = statSync(dirname(join(folder, path)));
      const owner = path.startsWith("authority/") ? 0 : 10_001;
      assert.deepEqual([inside.uid, inside.mode & 0o077, above.uid, above.mode & 0o077], [owner, 0, owner, 0], path);
    }
  });

  it("let a real service and its peers speak to each other, and nobody else", { timeout: 120_000 }, async (context) => {
    const place = join(folder, "router");
    const child = spawn(process.execPath, [join(root, "services/router/src/main.ts")], {
      env: {
        PATH: process.env["PATH"],
        XCF_LISTEN: "127.0.0.1:0",
        XCF_TLS_CERT: join(place, "tls.crt"),
        XCF_TLS_KEY: join(place, "tls.key"),
        XCF_TLS_CA: join(place, "ca.crt"),
      },
      stdio: ["ignore", "inherit", "pipe"],
    });
    const ended = once(child, "exit");
    context.after(async () => {
      child.kill("SIGTERM");
      assert.deepEqual(await ended, [0, null]);
    });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    const address = (): string => /"address":"(https:[^"]+)"/.exec(said)?.[1] ?? "";
    while (address() === "" && child.exitCode === null) await Promise.race([once(child.stderr, "data"), ended]);
    assert.notEqual(address(), "", said);
    const url = address();
    const call = (tls: Awaited<ReturnType<typeof tlsOf>>) =>
      createClient(RouterService, createMeshTransport({ places: { router: [url] }, tls, clock })).route(
        {},
        as({ tenant: "default", subject: "test", groups: [], roles: ["admin"], assurance: "service" }),
      );
    // What router answers to nothing is its own affair; that it answers shows that both were let in.
    await assert.doesNotReject(call(await tlsOf("planner")).catch(unlessRefused));
    await assert.rejects(call(await tlsOf("nats")), /unauthenticated/);
    const other = join(top, "other");
    await prepare(other, ["planner"], clock.now());
    await assert.rejects(call(await tlsOf("planner", other)), /unavailable|unknown|certificate/i);
  });

  it("are renewed a month before they end, and again when damaged; keys never change", async () => {
    const place = join(top, "aging");
    const now = clock.now();
    const later = (days: number): Date => new Date(now.getTime() + days * 86_400_000);
    const read = (path: string): string => readFileSync(join(place, path), "utf8");
    const files = ["api/tls.crt", "api/tls.key", "api/ca.crt", "attempt/attempt.pem", "state-key/state.age"];
    const all = (): string[] => files.map(read);
    await prepare(place, ["api"], now);
    const made = all();
    await prepare(place, ["api"], later(330));
    assert.deepEqual(all(), made);
    await prepare(place, ["api", "state"], later(340));
    const renewed = all();
    assert.notEqual(renewed[0], made[0]);
    assert.deepEqual(renewed.slice(2), made.slice(2), "the authority and the keys stay");
    assert.equal(read("state/ca.crt"), read("api/ca.crt"), "a member that came later has the same authority");
    writeFileSync(join(place, "api/tls.key"), read("state/tls.key"));
    await prepare(place, ["api", "state"], later(340));
    assert.notEqual(read("api/tls.crt"), renewed[0]);
    cpSync(join(place, "state/tls.crt"), join(place, "state-key/state.age"));
    await assert.rejects(prepare(place, ["api"], later(340)), { code: "KEY_FILE_INVALID" });
    assert.equal(read("state-key/state.age"), read("state/tls.crt"), "what is no key is not replaced either");
  });

  it("are refused to names that would leave their folder or take a key's", async () => {
    for (const name of ["../api", "authority", "state-key", ""]) {
      const { exitCode, stderr } = await runCa({ XCF_CA_FOLDER: join(top, "bad"), XCF_CA_MEMBERS: `api,${name}` });
      assert.equal(exitCode, 1, name);
      assert.match(stderr, /XCF_CA_MEMBERS/);
    }
  });
});

function unlessRefused(error: unknown): void {
  if (/unauthenticated|permission_denied|unavailable|certificate/.test(String(error))) throw error;
}
