import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";

const root = dirname(dirname(import.meta.dirname));
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

  after(() => rmSync(folder, { recursive: true, force: true }));

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
});
