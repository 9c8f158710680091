import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";

const root = dirname(dirname(import.meta.dirname));

/** Says which Node runs it and how it was called; `wait` stays until a signal, `abort` dies of one. */
const program = `
import { DatabaseSync } from "node:sqlite";
const [verb, ...rest]: string[] = process.argv.slice(2);
if (verb === "exit") process.exitCode = Number(rest[0]);
if (verb === "wait") {
  const timer = setInterval(() => {}, 60_000);
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => { console.log(signal); process.exitCode = 9; clearInterval(timer); });
  }
}
console.log(JSON.stringify({ node: process.version, pid: process.pid, verb, rest, sqlite: typeof DatabaseSync }));
if (verb === "abort") process.kill(process.pid, "SIGABRT");
`;

/**
 * A Node that is too old to run the sources, pretended: the launcher looks at the version and at nothing else, and only
 * in the first process, since the environment variable is gone in the second.
 */
const pretend = `
if (process.env.PRETEND_OLD === "1") {
  delete process.env.PRETEND_OLD;
  Object.defineProperty(process.versions, "node", { value: "20.11.0" });
}
`;

interface Launched {
  child: ChildProcess;
  lines: string[];
  stderr: string;
  closed: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

describe("the launcher", () => {
  let folder = "";

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "xcf-launcher-"));
    mkdirSync(join(folder, "cli", "src"), { recursive: true });
    cpSync(join(root, "bin"), join(folder, "bin"), { recursive: true });
    writeFileSync(join(folder, "package.json"), '{"type": "module"}');
    writeFileSync(join(folder, "pretend.cjs"), pretend);
    writeFileSync(join(folder, "cli", "src", "main.ts"), program);
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  function launch(args: string[], old: boolean): Launched {
    const command = [
      ...(old ? ["--require", join(folder, "pretend.cjs")] : []),
      join(folder, "bin", "xcf.js"),
      ...args,
    ];
    const environment = { PATH: process.env["PATH"], XDG_CACHE_HOME: join(folder, "cache") };
    const child = spawn(process.execPath, command, {
      env: old ? { ...environment, PRETEND_OLD: "1" } : environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const launched: Launched = {
      child,
      lines: [],
      stderr: "",
      closed: once(child, "close").then(() => ({ code: child.exitCode, signal: child.signalCode })),
    };
    child.stdout.on("data", (bytes) => launched.lines.push(...String(bytes).trim().split("\n")));
    child.stderr.on("data", (bytes) => {
      launched.stderr += bytes;
    });
    return launched;
  }

  function greeting(launched: Launched): { pid: number; node: string; verb?: string; rest: string[]; sqlite: string } {
    return JSON.parse(launched.lines[0] ?? "null");
  }

  for (const old of [false, true]) {
    const where = old ? "under an old Node" : "under Node 24";

    test(`${where} arguments arrive as given and nothing is warned about`, async () => {
      const launched = launch(["exit", "0", "two words", "--flag=a b", ""], old);
      assert.deepEqual(await launched.closed, { code: 0, signal: null });
      assert.deepEqual(greeting(launched).rest, ["0", "two words", "--flag=a b", ""]);
      assert.match(greeting(launched).node, /^v24\./);
      assert.equal(greeting(launched).pid === launched.child.pid, !old, "a second process only where it is needed");
      assert.equal(launched.stderr, "");
    });

    test(`${where} the exit code is the program's`, async () => {
      assert.deepEqual(await launch(["exit", "3"], old).closed, { code: 3, signal: null });
    });

    test(`${where} death by a signal is seen as that`, async () => {
      assert.deepEqual(await launch(["abort"], old).closed, { code: null, signal: "SIGABRT" });
    });

    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      test(`${where} ${signal} reaches the program, which decides`, async () => {
        const launched = launch(["wait"], old);
        await once(launched.child.stdout ?? assert.fail(), "data");
        launched.child.kill(signal);
        assert.deepEqual(await launched.closed, { code: 9, signal: null });
        assert.equal(launched.lines.at(-1), signal);
      });
    }
  }

  test("killing the launcher without warning still stops the program in an orderly way", async () => {
    const launched = launch(["wait"], true);
    await once(launched.child.stdout ?? assert.fail(), "data");
    launched.child.kill("SIGKILL");
    // The program holds the pipe open; it closes when the program has ended too.
    assert.deepEqual(await launched.closed, { code: null, signal: "SIGKILL" });
    assert.equal(launched.lines.at(-1), "SIGTERM");
  });

  test("without a Node to go on with, it says what to install", async () => {
    rmSync(join(folder, "node_modules"));
    try {
      const launched = launch(["exit", "0"], true);
      assert.deepEqual(await launched.closed, { code: 1, signal: null });
      assert.match(launched.stderr, /needs Node 24 and this is v.*install Node 24/);
    } finally {
      symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    }
  });

  test("the bundled Node is one that npm installs for this platform", () => {
    const require = createRequire(join(root, "package.json"));
    assert.ok(require.resolve(`node-${process.platform}-${process.arch}/package.json`));
  });
});
