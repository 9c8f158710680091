import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { migrate } from "@xcloudflow/database/migrate";
import { stateSchema } from "@xcloudflow/state/migrations/migrations";
import { openPglite } from "../support/databases.ts";
import { asService, createStateFixture, lockInfo, UNIT } from "../support/state-fixture.ts";
import { mountTmpfs, unmountTmpfs } from "../support/tmpfs-cli.ts";

const MEGABYTE = 1024 * 1024;

/** A state of about 6 MB, different for each serial. */
function largeState(serial: number): string {
  return JSON.stringify({ version: 4, serial, lineage: "large", blob: String(serial % 10).repeat(6 * MEGABYTE) });
}

test("a full disk refuses the write with a code, loses no state that was acknowledged, and goes on when there is room", async (context) => {
  const root = await mkdtemp(join(tmpdir(), "xcf-full-"));
  if (!mountTmpfs(root, 420)) {
    await rm(root, { recursive: true });
    return context.skip("needs the right to mount a tmpfs");
  }
  context.after(async () => {
    unmountTmpfs(root);
    await rm(root, { recursive: true });
  });
  const database = await openPglite(join(root, "db"));
  await migrate(database, [stateSchema]);
  const state = await createStateFixture(database);
  const filler = join(root, "filler");
  await writeFile(filler, Buffer.alloc(120 * MEGABYTE));

  assert.equal((await state.fetch("LOCK", { body: lockInfo("held") })).status, 200);
  let serial = 0;
  let refusal: Response | undefined;
  while (refusal === undefined) {
    assert.ok(serial < 100, "the disk never filled up");
    const answer = await state.fetch("POST", { body: largeState(serial + 1), id: "held" });
    if (answer.status === 200) serial++;
    else refusal = answer;
  }
  assert.ok(serial > 0, "the disk was full from the start");
  assert.equal(refusal.status, 507);
  assert.equal(JSON.parse(await refusal.text()).code, "DATABASE_DISK_FULL");
  await assert.rejects(state.rpc.raiseFence({ unit: UNIT, fence: 1n }, asService), { code: "DATABASE_DISK_FULL" });

  await rm(filler);
  assert.equal(await (await state.fetch("GET", { password: "reader" })).text(), largeState(serial));
  assert.equal((await state.fetch("POST", { body: largeState(serial + 1), id: "held" })).status, 200);
  assert.equal((await state.fetch("UNLOCK", { body: lockInfo("held") })).status, 200);
  const { versions } = await state.rpc.listStateVersions({ unit: UNIT }, asService);
  assert.deepEqual(
    versions.map(({ serial }) => serial),
    Array.from({ length: serial + 1 }, (_, index) => BigInt(serial + 1 - index)),
  );
  await state.close();
  await database.close();
});
