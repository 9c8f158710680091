import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createKeyring, type KeyEncryption, type WrappedDataKey, type WrappedDataKeyStore } from "./keyring.ts";
import { createAgeKeyEncryption } from "./keyring-age.ts";
import { DataKeyMissingError, DataKeyUnwrapError, KeyFileInvalidError } from "./keyring-errors.ts";

let folder: string;
let keyEncryption: KeyEncryption;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "xcf-keyring-"));
  keyEncryption = await createAgeKeyEncryption(join(folder, "keys", "data.age"));
});
after(() => rm(folder, { recursive: true }));

function createRows(): WrappedDataKeyStore & { readonly rows: Map<string, WrappedDataKey[]> } {
  const rows = new Map<string, WrappedDataKey[]>();
  return {
    rows,
    list: async (tenant) => [...(rows.get(tenant) ?? [])],
    async add(tenant, key) {
      const keys = rows.get(tenant) ?? [];
      if (keys.some(({ generation }) => generation === key.generation)) return false;
      rows.set(tenant, [...keys, key]);
      return true;
    },
  };
}

test("the age key file is made once, for its owner only, and read from then on", async () => {
  const path = join(folder, "config", "xcloudflow", "data.age");
  const many = await Promise.all(Array.from({ length: 8 }, () => createAgeKeyEncryption(path)));
  assert.equal(new Set(many.map(({ id }) => id)).size, 1);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.match(await readFile(path, "utf8"), /^AGE-SECRET-KEY-1/m);
  assert.deepEqual(await readdir(join(folder, "config", "xcloudflow")), ["data.age"]);
});

test("a key file that others may read, or without a key, is refused with what to do", async () => {
  const path = join(folder, "open.age");
  await createAgeKeyEncryption(path);
  await chmod(path, 0o640);
  await assert.rejects(
    createAgeKeyEncryption(path),
    (error) => error instanceof KeyFileInvalidError && error.hint === `chmod 600 ${path}`,
  );
  await writeFile(join(folder, "empty.age"), "# nothing\n", { mode: 0o600 });
  await assert.rejects(createAgeKeyEncryption(join(folder, "empty.age")), KeyFileInvalidError);
});

test("a tenant gets one key, the same after a restart, and another tenant gets another", async () => {
  const store = createRows();
  const keyring = createKeyring({ keyEncryption, store });
  const [first, again] = await Promise.all([keyring.current("acme"), keyring.current("acme")]);
  assert.deepEqual(first, again);
  assert.deepEqual(await createKeyring({ keyEncryption, store }).current("acme"), first);
  assert.notDeepEqual((await keyring.current("other")).bytes, first.bytes);
});

test("two processes that make a tenant's first key agree on one", async () => {
  const store = createRows();
  const keys = await Promise.all(
    Array.from({ length: 5 }, () => createKeyring({ keyEncryption, store }).current("acme")),
  );
  assert.equal(new Set(keys.map(({ id }) => id)).size, 1);
});

test("rotation gives a new current key, keeps the old one for opening, and leaves derived keys as they were", async () => {
  const store = createRows();
  const keyring = createKeyring({ keyEncryption, store });
  const elsewhere = createKeyring({ keyEncryption, store });
  const old = await elsewhere.current("acme");
  const derived = await keyring.derive("acme", "redaction");
  const fresh = await keyring.rotate("acme");
  assert.notEqual(fresh.id, old.id);
  assert.deepEqual(await keyring.byId("acme", old.id), old);
  assert.deepEqual(await elsewhere.byId("acme", fresh.id), fresh, "a process that did not rotate finds the new key");
  assert.deepEqual(await keyring.derive("acme", "redaction"), derived);
  assert.notDeepEqual(await keyring.derive("acme", "other"), derived);
  await assert.rejects(keyring.byId("acme", "00".repeat(16)), DataKeyMissingError);
});

test("a wrapped key copied to another tenant's row does not open", async () => {
  const store = createRows();
  await createKeyring({ keyEncryption, store }).current("acme");
  store.rows.set("thief", store.rows.get("acme") ?? []);
  await assert.rejects(createKeyring({ keyEncryption, store }).current("thief"), DataKeyUnwrapError);
});

test("another key file is named as the problem, and the right one works afterwards", async () => {
  const store = createRows();
  await createKeyring({ keyEncryption, store }).current("acme");
  const stranger = await createAgeKeyEncryption(join(folder, "stranger.age"));
  await assert.rejects(createKeyring({ keyEncryption: stranger, store }).current("acme"), DataKeyUnwrapError);
  await assert.rejects(
    createKeyring({ keyEncryption: { ...stranger, id: keyEncryption.id }, store }).current("acme"),
    DataKeyUnwrapError,
  );
  await createKeyring({ keyEncryption, store }).current("acme");
});
