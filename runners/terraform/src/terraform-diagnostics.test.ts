import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { failureOf, filePath, parseHumanDiagnostics } from "./terraform-diagnostics.ts";

const context = {
  command: "plan",
  effects: "none" as const,
  modulePath: "modules/db",
  exit: { code: 1, signal: null },
  output: "",
};

describe("failureOf", () => {
  it("names the file as its author does, and counts what else is wrong", () => {
    const range = { filename: "main.tf", start: { line: 3 } };
    const failure = failureOf(
      [
        { severity: "warning", summary: "w", detail: "" },
        { severity: "error", summary: "Bad", detail: "so\nand so", range },
        { severity: "error", summary: "More", detail: "" },
      ],
      context,
    );
    assert.deepEqual(
      [failure.code, failure.what, failure.where],
      ["TERRAFORM_FAILED", "Bad: so and so (and 1 more errors)", "modules/db/main.tf:3"],
    );
  });

  it("knows the problems that have a code of their own", () => {
    const code = (summary: string, detail = ""): string =>
      failureOf([{ severity: "error", summary, detail }], context).code;
    assert.equal(code("Saved plan is stale"), "PLAN_STALE");
    assert.equal(code("Failed to write plan", "open x: no space left on device"), "DISK_FULL");
    assert.equal(code("Unsupported Terraform Core version"), "ENGINE_VERSION_UNSUITABLE");
    assert.equal(code("Error loading state: HTTP remote state endpoint requires auth"), "STATE_FORBIDDEN");
    assert.equal(code("Failed to query available provider packages"), "PROVIDER_UNAVAILABLE");
    assert.equal(
      code(
        "Error acquiring the state lock",
        "Error message: already locked\nLock Info:\n  ID:        1\n  Who:       ada@x",
      ),
      "STATE_LOCK_HELD",
    );
    assert.equal(code("Error acquiring the state lock", "Error message: connection refused"), "STATE_UNAVAILABLE");
  });

  it("says how the process ended when it said nothing else", () => {
    assert.match(
      failureOf([], { ...context, exit: { code: null, signal: "SIGKILL" } }).what,
      /ended with signal SIGKILL and said nothing/,
    );
    assert.match(failureOf([], { ...context, output: "boom\n" }).what, /exit code 1: boom/);
  });
});

describe("parseHumanDiagnostics", () => {
  it("reads plain and boxed blocks", () => {
    const text =
      'Initializing…\n\nError: Invalid expression\n\n  on main.tf line 2, in resource "x" "y":\n   2:   input =\n   3: }\n\nExpected the start of an expression.\n\n╷\n│ Error: Second\n│ \n│ Because.\n╵\n';
    assert.deepEqual(parseHumanDiagnostics(text), [
      {
        severity: "error",
        summary: "Invalid expression",
        detail: "Expected the start of an expression.",
        range: { filename: "main.tf", start: { line: 2 } },
      },
      { severity: "error", summary: "Second", detail: "Because." },
    ]);
    assert.deepEqual(parseHumanDiagnostics("all is well\n"), []);
  });
});

describe("filePath", () => {
  it("takes away where the attempt unpacked the module", () => {
    assert.equal(filePath("main.tf", "modules/db"), "modules/db/main.tf");
    assert.equal(filePath("../child/main.tf", "modules/db"), "modules/child/main.tf");
    assert.equal(filePath("../module/modules/db/main.tf", "modules/db"), "modules/db/main.tf");
    assert.equal(filePath(".terraform/modules/x/main.tf", "modules/db"), ".terraform/modules/x/main.tf");
    assert.equal(filePath("main.tf", "."), "main.tf");
  });
});
