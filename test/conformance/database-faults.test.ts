import assert from "node:assert/strict";
import { chmod, cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { DatabaseUnavailableError } from "@xcloudflow/database/database-errors";
import { migrate, type ServiceSchema } from "@xcloudflow/database/migrate";
import { preparePgliteDirectory } from "@xcloudflow/database/pglite-directory";
import { tenantScope } from "@xcloudflow/database/scope";
import { tenantTable } from "@xcloudflow/database/tenant-table";
import { sql } from "kysely";
import { openPglite } from "../support/databases.ts";
import { mountTmpfs, unmountTmpfs } from "../support/tmpfs-cli.ts";

const notes: ServiceSchema = {
  service: "notes",
  migrations: [{ name: "0001-notes", up: () => tenantTable("notes.notes", "text text not null") }],
};
const scope = (name: string) => tenantScope("notes", "ada", name);

let blank: string;
let root: string;
let count = 0;
before(async () => {
  blank = await mkdtemp(join(tmpdir(), "xcf-faults-"));
  await preparePgliteDirectory(join(blank, "db"));
});
after(() => rm(blank, { recursive: true, force: true }));
beforeEach(async () => {
  root = join(blank, String(count++));
  await mkdir(root);
});

async function copyOfBlank(): Promise<string> {
  await cp(join(blank, "db"), join(root, "db"), { recursive: true });
  return join(root, "db");
}

describe("PGlite's folder", () => {
  test("of another version is refused before it is touched", async () => {
    const directory = await copyOfBlank();
    await writeFile(join(directory, "PG_VERSION"), "17\n");
    await assert.rejects(openPglite(directory), { code: "DATABASE_WRONG_VERSION", where: directory });
  });

  test("that is damaged is one clear error, whatever is damaged", async () => {
    for (const [file, bytes] of [
      ["PG_VERSION", "nonsense"],
      ["global/pg_control", ""],
      ["global/pg_control", "\u0000".repeat(8192)],
    ] as const) {
      await rm(join(root, "db"), { recursive: true, force: true });
      const directory = await copyOfBlank();
      await writeFile(join(directory, file), bytes);
      await assert.rejects(openPglite(directory), { code: "DATABASE_CORRUPT", where: directory }, file);
    }
  });

  test("that cannot be written is one clear error", async () => {
    const directory = join(root, "sub", "db");
    await mkdir(join(root, "sub"), { mode: 0o500 });
    await chmod(blank, 0o711);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.("nobody");
    try {
      await assert.rejects(openPglite(directory), { code: "DATABASE_PERMISSION_DENIED", where: directory });
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  test("is made anew over the remains of a process killed while making it", async () => {
    const directory = join(root, "db");
    await mkdir(`${directory}.new/base`, { recursive: true });
    await writeFile(`${directory}.new/PG_VERSION`, "18\n");
    const database = await openPglite(directory);
    await migrate(database, [notes]);
    await database.close();
    assert.deepEqual(await readdir(root), ["db"]);
  });
});

test("a disk that fills up refuses the change, keeps what was committed, lets read, and goes on when there is room", async (context) => {
  if (!mountTmpfs(root, 240)) return context.skip("needs the right to mount a tmpfs");
  context.after(() => unmountTmpfs(root));
  const directory = await copyOfBlank();
  let database = await openPglite(directory);
  await migrate(database, [notes]);
  const insert = () =>
    database.transaction(scope("fill"), (tx) =>
      sql`insert into notes.notes (text) select string_agg(md5(random()::text), '') from generate_series(1, 5000)`.execute(
        tx,
      ),
    );
  const written = async (): Promise<unknown> => {
    const { rows } = await database.transaction(scope("count"), (tx) =>
      sql<{ count: number }>`select count(*)::int as count from notes.notes`.execute(tx),
    );
    return rows[0]?.count;
  };
  let committed = 0;
  let failure: unknown;
  while (failure === undefined && committed < 5000) {
    await insert().then(
      () => committed++,
      (error: unknown) => (failure = error),
    );
  }
  assert.ok(failure instanceof DatabaseUnavailableError);
  assert.equal(failure.code, "DATABASE_DISK_FULL");
  assert.ok(committed > 0);
  assert.equal(await written(), committed);
  await database.close();

  await writeFile(join(root, "filler"), Buffer.alloc(60 * 1024 * 1024));
  database = await openPglite(directory);
  await migrate(database, [notes]);
  assert.equal(await written(), committed);
  await assert.rejects(insert(), { code: "DATABASE_DISK_FULL" });
  await database.close();

  await writeFile(join(root, "filler"), Buffer.alloc(90 * 1024 * 1024));
  await assert.rejects(openPglite(directory), { code: "DATABASE_DISK_FULL" });

  await rm(join(root, "filler"));
  database = await openPglite(directory);
  assert.equal(await written(), committed);
  await database.close();
});

test("a disk too small for a database is refused before anything is written", async (context) => {
  if (!mountTmpfs(root, 20)) return context.skip("needs the right to mount a tmpfs");
  context.after(() => unmountTmpfs(root));
  await assert.rejects(openPglite(join(root, "db")), { code: "DATABASE_DISK_FULL" });
  assert.deepEqual(await readdir(root), []);
});
