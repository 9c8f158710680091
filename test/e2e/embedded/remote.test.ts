import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { requireEngine } from "../../support/engines.ts";
import { SMALL_MONOREPO } from "../../support/small-monorepo.ts";
import { createTestRepository, type Outcome, type TestRepository } from "../../support/xcf-cli.ts";

const skip = requireEngine("terraform").skip || requireEngine("opa").skip;
const idSchema = z.looseObject({ id: z.string() });

describe("a control plane somewhere else", { skip }, () => {
  let repository: TestRepository;
  let server: ChildProcess;
  let address = "";
  let home = "";

  before(async () => {
    repository = await createTestRepository();
    await repository.commit(SMALL_MONOREPO);
    // The other person's home: nothing of the server's account is there.
    home = await mkdtemp(join(tmpdir(), "xcf-remote-"));
    server = await repository.start(["up", "-o", "json"], { as: "root@example.com" });
    let said = "";
    for await (const bytes of server.stdout ?? assert.fail("no output")) {
      said += String(bytes);
      if (said.includes("}")) break;
    }
    address = z.looseObject({ grpc: z.url() }).parse(JSON.parse(said)).grpc;
  });

  after(async () => {
    server.kill("SIGTERM");
    if (server.exitCode === null) await once(server, "exit");
    await rm(home, { recursive: true, force: true });
    await repository.dispose();
  });

  async function tokenFor(role: string, user: string, ...groups: string[]): Promise<string> {
    const words = ["token", "create", "--role", role, "--user", user, ...groups.flatMap((group) => ["--group", group])];
    const { out, err, code } = await repository.xcf(words, { as: "root@example.com" });
    assert.equal(code, 0, err);
    return out.trim();
  }

  /** As whoever holds the token; what the environment asserts must not count. */
  async function remote(token: string, code: number, ...words: string[]): Promise<Outcome> {
    const environment = { XCF_SERVER: address, XCF_TOKEN: token, HOME: home };
    const outcome = await repository.xcf(words, { as: "impostor@example.com/platform-leads", environment });
    assert.equal(outcome.code, code, `xcf ${words.join(" ")}: ${outcome.out}${outcome.err}`);
    return outcome;
  }

  test("takes a change from plan to applied, each step by somebody who may", async () => {
    const planner = await tokenFor("planner", "pat@example.com");
    const approver = await tokenFor("approver", "lee@example.com", "platform-leads");
    const operator = await tokenFor("operator", "oli@example.com");
    const viewer = await tokenFor("viewer", "vic@example.com");

    assert.match((await remote(viewer, 1, "plan")).err, /viewer|may not|permission|role/i);
    const { id } = idSchema.parse(JSON.parse((await remote(planner, 2, "plan", "-o", "json")).out));
    assert.match((await remote(viewer, 0, "show", id)).out, new RegExp(id));
    await remote(planner, 1, "approve", id);
    await remote(planner, 1, "apply", id);
    await remote(operator, 3, "apply", id);
    await remote(approver, 0, "approve", id);
    await remote(operator, 0, "apply", id);
    await remote(planner, 0, "plan");
    assert.match((await remote(viewer, 0, "runs")).out, /apply {2}succeeded/);
    await remote(viewer, 1, "state", "pull", "prod/network/unit");
    await remote(viewer, 1, "token", "create", "--role", "admin");

    const { out } = await remote(viewer, 0, "audit", "query", "--type", "orchestrator.approval");
    assert.match(out, /lee@example\.com/);
    assert.doesNotMatch(out, /impostor/);
  });

  test("refuses a token that it did not make, and says what is missing when there is none", async () => {
    const { err } = await remote("xcf_nonsense", 1, "runs");
    assert.match(err, /^xcf: .*token/i);
    assert.match((await remote("", 1, "runs")).err, /this server needs a token — set XCF_TOKEN/);
  });

  test("a server that is not there is one sentence", async () => {
    const environment = { XCF_SERVER: "http://127.0.0.1:1", XCF_TOKEN: "xcf_nonsense" };
    const { code, err } = await repository.xcf(["runs"], { environment });
    assert.equal(code, 1);
    assert.match(err, /127\.0\.0\.1:1/);
    assert.equal(err.trimEnd().split("\n").length, 1, err);
  });

  test("verbs that ask only about what is kept run in any folder", async () => {
    const token = await tokenFor("viewer", "vic@example.com");
    const environment = { XCF_SERVER: address, XCF_TOKEN: token, GIT_DIR: "/nowhere" };
    assert.equal((await repository.xcf(["runs"], { environment })).code, 0);
    const { code, err } = await repository.xcf(["plan"], { environment });
    assert.equal(code, 5);
    assert.match(err, /not inside a Git repository/);
  });
});
