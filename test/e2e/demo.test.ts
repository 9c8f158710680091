import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { requireEngine } from "../support/engines.ts";
import { MODE } from "../support/shared-mesh.ts";

const root = join(import.meta.dirname, "..", "..");
const skip = requireEngine("terraform").skip || requireEngine("opa").skip || requireEngine("git").skip;

/** Every step of the demo holds the product to exit codes and words, so that its own exit code says most. */
describe("the demo", { skip }, () => {
  let parent = "";
  let first: SpawnSyncReturns<string>;
  let second: SpawnSyncReturns<string>;
  let left: string[] = [];

  function tell(): SpawnSyncReturns<string> {
    return spawnSync(process.execPath, [join(root, "examples", "shop", "demo.ts"), parent], {
      encoding: "utf8",
      timeout: 300_000,
      // Somebody's own choices must not change the story.
      env: {
        ...process.env,
        XCF_USER: "somebody@else.example",
        XCF_GROUPS: "platform-leads",
        XCF_SERVER: "http://127.0.0.1:9",
        MODE,
      },
    });
  }

  before(() => {
    parent = mkdtempSync(join(tmpdir(), "xcf-demo-"));
    first = tell();
    left = readdirSync(parent);
    second = tell();
  });

  after(() => rmSync(parent, { recursive: true, force: true }));

  test("is told to its end", () => assert.equal(first.status, 0, `${first.stdout}\n${first.stderr}`));

  test("is told to its end a second time", () => assert.equal(second.status, 0, `${second.stdout}\n${second.stderr}`));

  test("leaves its folder, and removes the one that an earlier demo left", () => {
    assert.equal(left.length, 1);
    const now = readdirSync(parent);
    assert.equal(now.length, 1);
    assert.notDeepEqual(now, left);
    assert.ok(existsSync(join(parent, now[0] ?? "", "shop", "compositions")));
  });

  test("keeps each screen to 25 lines of 120 columns, without colours where there is no terminal", () => {
    const [, ...screens] = (second.stdout.split("\nThat was")[0] ?? "").split(/^── /m);
    assert.ok(screens.length >= 10);
    for (const screen of screens) {
      const lines = screen.trimEnd().split("\n");
      assert.ok(lines.length <= 25, `${lines.length} lines: ${lines[0]}`);
      for (const line of lines.slice(1)) assert.ok(line.length <= 120, line);
    }
    assert.ok(!second.stdout.includes("\u001b"));
  });

  test("ends with three commands that work", () => {
    const commands = (second.stdout.split("to go on:")[1] ?? "").trim().split(/\s*\n\s*/);
    assert.equal(commands.length, 3);
    const [enter = "", ...next] = commands;
    const folder = enter.replace(/^cd /, "");
    for (const command of next) {
      const [program = "", ...words] = command.split(" ");
      const { status, stderr } = spawnSync(program === "node" ? process.execPath : program, words, {
        cwd: folder,
        encoding: "utf8",
        timeout: 120_000,
      });
      assert.ok(status === 0 || status === 2, `${command}: exit ${status}\n${stderr}`);
    }
  });
});
