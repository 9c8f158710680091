import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { requireEngine } from "../../support/engines.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const opa = requireEngine("opa");
const skip = requireEngine("terraform").skip || opa.skip || requireEngine("git").skip;

const routesSchema = z.object({
  units: z.array(
    z.looseObject({
      address: z.string(),
      gate: z.object({ value: z.unknown(), from: z.object({ layer: z.string(), at: z.string().optional() }) }),
      drift: z.object({ value: z.string(), from: z.object({ layer: z.string() }) }),
    }),
  ),
});

describe("the shop", () => {
  let folder = "";

  function git(...words: string[]): void {
    const who = ["-c", "user.name=Dana", "-c", "user.email=dana@shop.example", "-c", "commit.gpgsign=false"];
    execFileSync("git", [...who, ...words], { cwd: folder, stdio: "pipe" });
  }

  function xcf(...words: string[]): { status: number | null; stdout: string; stderr: string } {
    return spawnSync(process.execPath, [join(root, "bin", "xcf.js"), ...words], {
      cwd: folder,
      encoding: "utf8",
      timeout: 120_000,
      env: { ...process.env, XCF_USER: "dana@shop.example", XCF_GROUPS: "" },
    });
  }

  function edit(file: string, from: string, to: string): void {
    const path = join(folder, file);
    const text = readFileSync(path, "utf8");
    assert.ok(text.includes(from));
    writeFileSync(path, text.replace(from, to));
    git("commit", "-qam", `Change ${file}`);
  }

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "xcf-shop-"));
    cpSync(join(root, "examples", "shop"), folder, { recursive: true });
    git("init", "-q", "-b", "main");
    git("add", ".");
    git("commit", "-qm", "A shop");
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  test("validates without a warning, its policies' tests included", { skip: opa.skip }, () => {
    const { status, stdout } = xcf("validate");
    assert.equal(stdout, "Valid: 2 environments, 6 compositions, 13 units, 6 policy tests passed\n");
    assert.equal(status, 0);
  });

  test("has a production database whose gate a policy decides, and whose drift policy nobody wrote", () => {
    const { units } = routesSchema.parse(JSON.parse(xcf("explain", "prod/database/orders", "-o", "json").stdout));
    const [orders] = units;
    assert.deepEqual(orders?.gate.value, { kind: "forced", groups: ["platform-leads"], quorum: 1 });
    assert.equal(orders.gate.from.layer, "policy");
    assert.match(orders.gate.from.at ?? "", /^policies\/approvals\.yaml:\d+:\d+$/);
    assert.deepEqual(orders.drift, { value: "correct", from: { layer: "matrix" } });
  });

  test("plans in markdown for a pull request: unknowns named, warnings, gates and the digest", { skip }, () => {
    const { status, stdout, stderr } = xcf("plan", "--env", "prod", "-o", "markdown");
    assert.equal(status, 2, stderr);
    assert.match(stdout, /^### XCloudFlow plan for `prod`\n\n\*\*11\*\* to create, \*\*0\*\* to update/);
    assert.match(
      stdout,
      /^\| `prod\/network\/vpc` \| Foundation \| terraform \| forced \| planned \| 4 \| 0 \| 0 \| 0 \|$/m,
    );
    assert.match(stdout, /^\| `prod\/api\/server` \| Application \| terraform \| automatic \| provisional \| 1 \|/m);
    assert.match(stdout, /^- ⚠️ .*storefront-us-east-1 has a single replica/m);
    assert.match(stdout, /^- ⏳ 1 approval from platform-leads \(not its authors\)/m);
    assert.match(stdout, /input\.settings = \{"DATABASE": \(known after apply\)/);
    assert.match(stdout, /digest `xcf1:sha256:[0-9a-f]{64}`/);
    const blocks = [...stdout.matchAll(/^(`{3,})(\w*)$/gm)];
    assert.equal(blocks.length % 2, 0, "every code block is closed");
    assert.equal(stderr, "", "progress is no part of a document");
  });

  test("shows a denial in markdown and exits with 4", { skip }, () => {
    edit("compositions/platform/database.yaml", "public: false", "public: true");
    const { status, stdout } = xcf("plan", "--env", "prod", "-o", "markdown");
    assert.equal(status, 4);
    // A public input is known at once, though the subnets beside it are not.
    assert.match(stdout, /^- ❌ .*makes a production database public/m);
  });
});
