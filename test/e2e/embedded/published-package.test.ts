import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { requireEngine } from "../../support/engines.ts";
import { endOwner } from "../../support/xcf-cli.ts";

const root = dirname(dirname(dirname(import.meta.dirname)));
const packed = z.tuple([
  z.object({ filename: z.string(), version: z.string(), files: z.array(z.object({ path: z.string() })) }),
]);

/** The machine's own Node and npm, not the checkout's: what somebody without a checkout has. */
const environment = {
  ...process.env,
  NODE_OPTIONS: "",
  PATH: (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => !folder.includes("node_modules"))
    .join(delimiter),
};

const terraform = requireEngine("terraform");
const opa = requireEngine("opa");

describe("the published package", () => {
  let folder = "";
  let files: string[] = [];
  let version = "";

  function runIn(directory: string, command: string, ...args: string[]): string {
    return execFileSync(command, args, {
      cwd: directory,
      env: environment,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
  }

  function run(command: string, ...args: string[]): string {
    return runIn(folder, command, ...args);
  }

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "xcf-published-"));
    const output = runIn(root, "npm", "pack", "--json", "--pack-destination", folder);
    const [tarball] = packed.parse(JSON.parse(output));
    files = tarball.files.map(({ path }) => path);
    version = tarball.version;
    writeFileSync(join(folder, "package.json"), '{"private": true}');
    run(
      "npm",
      "install",
      "--no-audit",
      "--no-fund",
      "--prefer-offline",
      "--ignore-scripts",
      join(folder, tarball.filename),
    );
  });

  after(async () => {
    await endOwner(folder);
    rmSync(folder, { recursive: true, force: true });
  });

  test("holds the launcher, the bundle and the licences, and no sources", () => {
    const other = files.filter((path) => !path.startsWith("dist/"));
    assert.deepEqual(other.filter((path) => path !== "README.md").sort(), ["LICENSE", "bin/xcf.js", "package.json"]);
    assert.ok(files.includes("dist/xcf.js"));
    assert.ok(files.includes("dist/THIRD-PARTY-LICENCES.txt"));
    assert.deepEqual(
      files.filter((path) => /\.ts$|\.test\./.test(path)),
      [],
    );
  });

  test("runs in an empty folder though no install script was allowed to run", () => {
    assert.equal(run("npx", "--no-install", "xcf", "--version").trim(), version);
  });

  /** As somebody whom the machine knows nothing of: a home of their own, no name for Git, no XCF_USER. */
  function xcf(...words: string[]): { readonly code: number | null; readonly out: string; readonly err: string } {
    const home = join(folder, "home");
    mkdirSync(home, { recursive: true });
    const { status, stdout, stderr } = spawnSync(join(folder, "node_modules", ".bin", "xcf"), words, {
      cwd: folder,
      encoding: "utf8",
      env: {
        PATH: environment.PATH,
        HOME: home,
        // Engines that were built for tests are found there; everything else a user has is under HOME.
        XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
        GIT_CONFIG_NOSYSTEM: "1",
        TF_CLI_CONFIG_FILE: "/dev/null",
        CI: "1",
      },
    });
    return { code: status, out: stdout, err: stderr };
  }

  test("takes a lone user from nothing to applied infrastructure", {
    skip: terraform.skip || opa.skip || noOldNode(),
  }, () => {
    const story: readonly (readonly [words: string[], code: number, says: RegExp])[] = [
      [["init"], 0, /Git knew no user\.email; this repository now says \S+@localhost/],
      [["validate"], 0, /^Valid: 1 environment, 2 compositions, 2 units, 2 policy tests passed$/m],
      [["plan"], 2, /2 units change; 2 to create/],
      [["apply"], 0, /^Applied cs_\w+ to dev/m],
      [["plan"], 0, /^Nothing to change\.$/m],
      [["audit", "verify"], 0, /^Intact: \d+ events/],
    ];
    for (const [words, code, says] of story) {
      const outcome = xcf(...words);
      assert.equal(outcome.code, code, `xcf ${words.join(" ")}: ${outcome.out}${outcome.err}`);
      assert.match(outcome.out, says);
    }
  });
});

/** The machine's own Node is what a user has; the newer one comes with the package. */
function noOldNode(): string | false {
  const { stdout } = spawnSync("node", ["--version"], { env: environment, encoding: "utf8" });
  return /^v2[0-3]\./.test(stdout ?? "")
    ? false
    : `needs a Node before 24 on PATH, and there is ${stdout?.trim() || "none"}`;
}
