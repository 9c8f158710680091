import assert from "node:assert/strict";
import { generateKeyPairSync, sign, verify } from "node:crypto";
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { KeyUnusableError, loadOrCreateKeyPair, userConfigFolder } from "./keys.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "xcf-keys-"));
});
after(() => rm(folder, { recursive: true, force: true }));

test("makes a key on first use, mode 0600, and reads the same one afterwards", async () => {
  const made = await loadOrCreateKeyPair(join(folder, "new"), "audit");
  const read = await loadOrCreateKeyPair(join(folder, "new"), "audit");
  const data = Buffer.from("x");
  assert.ok(verify(null, data, read.publicKey, sign(null, data, made.privateKey)));
  assert.equal((await stat(join(folder, "new", "audit.pem"))).mode & 0o777, 0o600);
  assert.equal((await stat(join(folder, "new"))).mode & 0o777, 0o700);
  assert.deepEqual(await readdir(join(folder, "new")), ["audit.pem"]);
});

test("gives everybody the same key when several make it at once", async () => {
  const pairs = await Promise.all(Array.from({ length: 8 }, () => loadOrCreateKeyPair(join(folder, "race"), "audit")));
  const texts = pairs.map(({ publicKey }) => publicKey.export({ type: "spki", format: "pem" }));
  assert.equal(new Set(texts).size, 1);
  assert.deepEqual(await readdir(join(folder, "race")), ["audit.pem"]);
});

test("refuses a key that others can read, that is none, or of another kind", async () => {
  const path = join(folder, "bad.pem");
  await writeFile(path, "nonsense", { mode: 0o600 });
  await assert.rejects(loadOrCreateKeyPair(folder, "bad"), /not a private key/);
  await chmod(path, 0o640);
  await assert.rejects(loadOrCreateKeyPair(folder, "bad"), /others can read this key/);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  await writeFile(join(folder, "ec.pem"), privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  await assert.rejects(loadOrCreateKeyPair(folder, "ec"), /not an Ed25519 key/);
  await assert.rejects(loadOrCreateKeyPair(join(path, "below-a-file"), "x"), KeyUnusableError);
});

test("looks where the XDG specification says", () => {
  assert.equal(userConfigFolder({ XDG_CONFIG_HOME: "/etc/me" }, "/home/me"), "/etc/me/xcloudflow");
  assert.equal(userConfigFolder({ XDG_CONFIG_HOME: "relative" }, "/home/me"), "/home/me/.config/xcloudflow");
  assert.equal(userConfigFolder({}, "/home/me"), "/home/me/.config/xcloudflow");
});
