import assert from "node:assert/strict";
import { once } from "node:events";
import { cp, mkdir, readFile, rename, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { requireEngine } from "../../support/engines.ts";
import { ledgerMonorepo, SELF_APPROVED } from "../../support/ledger-monorepo.ts";
import { findEngines } from "../../support/owner-processes.ts";
import { expectIntact, expectRefusal, refusalAsJson } from "../../support/refusal.ts";
import { mountTmpfs, unmountTmpfs } from "../../support/tmpfs-cli.ts";
import { createTestRepository, endOwner, type TestRepository } from "../../support/xcf-cli.ts";
import { expectCode, listRuns, planChange, planSomething, showRun } from "../../support/xcf-documents.ts";

const { skip } = requireEngine("terraform");
/** Below this the database refuses every change; see docs/decisions/durability-of-the-embedded-database.md. */
const RESERVE = 128 * 1024 * 1024;

describe("a disk that is full", { skip }, () => {
  let repository: TestRepository;
  let ledger: string;
  let go: string;
  let folder: string;
  let mounted = false;

  before(async () => {
    repository = await createTestRepository();
    ledger = join(repository.folder, "..", "ledger.txt");
    go = join(repository.folder, "..", "go");
    folder = join(repository.folder, ".xcf");
    await writeFile(ledger, "");
  });
  after(async () => {
    await endOwner(repository.folder);
    if (mounted) await unmount();
    await repository.dispose();
  });

  /** An owner that could not start is nobody's to end, and holds the folder until it has ended by itself. */
  async function unmount(): Promise<void> {
    const deadline = Date.now() + 20_000;
    for (;;) {
      try {
        unmountTmpfs(folder);
        mounted = false;
        return;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await wait(100);
      }
    }
  }

  async function commit(generation: string, slow?: string): Promise<void> {
    const unit = { name: "one", generation, ...(slow === undefined ? {} : { slow }) };
    await repository.commit(ledgerMonorepo(ledger, [unit, { name: "two", after: ["one"] }], SELF_APPROVED));
  }

  async function fill(): Promise<void> {
    const { bavail, bsize } = await statfs(folder);
    await writeFile(join(folder, "filler"), Buffer.alloc(Math.max(0, bavail * bsize - RESERVE / 4)));
  }

  test("at the start: the verb says so before it has written anything, and works when there is room", async (context) => {
    await commit("1");
    await mkdir(folder);
    mounted = mountTmpfs(folder, 64);
    if (!mounted) return context.skip("needs the right to mount a tmpfs");
    expectRefusal(await repository.xcf(["plan"]), { code: 1, says: [/room|space/, /try again|repeat|free/] });
    await endOwner(repository.folder);
    await unmount();
    expectCode(await repository.xcf(["apply", (await planSomething(repository)).id]), 0);
    assert.equal(await planChange(repository), undefined);
  });

  test("between two verbs: changes are refused, looking goes on, and nothing is lost", async (context) => {
    await endOwner(repository.folder, "SIGTERM");
    await rename(folder, `${folder}.kept`);
    await mkdir(folder);
    mounted = mountTmpfs(folder, 700);
    if (!mounted) return context.skip("needs the right to mount a tmpfs");
    await cp(`${folder}.kept`, folder, { recursive: true });
    await rm(`${folder}.kept`, { recursive: true });
    await commit("2");
    const { id } = await planSomething(repository);
    await fill();
    const refused = await repository.xcf(["apply", id, "-o", "json"]);
    assert.deepEqual([refused.code, refusalAsJson(refused).code], [1, "DATABASE_DISK_FULL"]);
    expectRefusal(await repository.xcf(["apply", id]), { code: 1, says: [/room|space/] });
    expectCode(await repository.xcf(["show", id]), 0);
    await rm(join(folder, "filler"));
    expectCode(await repository.xcf(["apply", id]), 0);
    assert.equal(await planChange(repository), undefined);
    await expectIntact(repository);
  });

  test("in the middle of a run: it goes on or can be taken up when there is room, and nothing is done twice", async (context) => {
    if (!mounted) return context.skip("needs the right to mount a tmpfs");
    await commit("3", `until [ -e ${go} ]; do sleep 0.05; done`);
    const { id } = await planSomething(repository);
    const client = await repository.start(["apply", id]);
    const left = once(client, "close");
    while (!findEngines(repository.folder).some(({ verb }) => verb === "apply")) await wait(20);
    await fill();
    await writeFile(go, "");
    while (!(await readFile(ledger, "utf8")).includes("create one 3")) await wait(20);
    await rm(join(folder, "filler"));
    await left;
    const [run = assert.fail("there is a run")] = (await listRuns(repository)).filter(({ kind }) => kind === "apply");
    await repository.xcf(["watch", run.id]);
    if ((await showRun(repository, run.id)).status !== "succeeded")
      expectCode(await repository.xcf(["retry", run.id]), 0);
    assert.equal(await planChange(repository), undefined);
    const lines = (await readFile(ledger, "utf8")).split("\n").filter((line) => line === "create one 3");
    assert.equal(lines.length, 1);
    await expectIntact(repository);
  });
});
