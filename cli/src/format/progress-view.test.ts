import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  RunSchema,
  StepSchema,
  UnitLogSchema,
  UnitProgressSchema,
} from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import type { Terminal } from "../terminal.ts";
import { createProgressView, type ProgressView } from "./progress-view.ts";

function watch(live: boolean, columns: number, story: (view: ProgressView) => void, quiet = false): string {
  let said = "";
  const terminal: Terminal = {
    out: () => assert.fail("progress is not a result"),
    err: (text) => {
      said += text;
    },
    live,
    columns,
    color: false,
  };
  story(createProgressView(terminal, quiet));
  return said;
}

const step = (init: MessageInitShape<typeof StepSchema>) => create(StepSchema, init);

function story(view: ProgressView): void {
  view.step(step({ unit: "dev/a/b", status: "blocked", stage: "apply" }));
  view.step(step({ unit: "dev/a/b", status: "running", stage: "apply" }));
  view.progress(
    create(UnitProgressSchema, { unit: "dev/a/b", progress: { action: "create", resource: "terraform_data.one" } }),
  );
  view.log(create(UnitLogSchema, { unit: "dev/a/b", line: { text: "hello" } }));
  view.step(step({ unit: "dev/a/b", status: "succeeded", stage: "record" }));
  view.run(create(RunSchema, { status: "waiting", waitingFor: "1 approval" }));
  view.end();
}

test("without a terminal every line stands by itself and nothing is rewritten", () => {
  assert.deepEqual(watch(false, 80, story).split("\n"), [
    "▸ dev/a/b  apply",
    "  dev/a/b │ hello",
    "✓ dev/a/b  done",
    "… 1 approval",
    "",
  ]);
});

test("on a terminal one live line says what runs, and leaves nothing behind", () => {
  const said = watch(true, 80, story);
  assert.match(said, /▸ 1 running: dev\/a\/b create terraform_data\.one/);
  assert.deepEqual(onScreen(said), ["  dev/a/b │ hello", "✓ dev/a/b  done", "… 1 approval", ""]);
});

test("a live line never wraps, however narrow the terminal", () => {
  for (const columns of [1, 2, 10, 30]) {
    const lines = watch(true, columns, story)
      .split(/\n|\r/)
      .map((line) => line.replaceAll("\u001b[2K", ""))
      .filter((line) => line.includes("running"));
    for (const line of lines) assert.ok(line.length <= columns, `${columns}: ${line}`);
  }
});

test("a step that is told again is not printed again", () => {
  const said = watch(false, 80, (view) => {
    for (let time = 0; time < 3; time++)
      view.step(step({ unit: "dev/a/b", status: "failed", stage: "apply", reason: "no" }));
  });
  assert.equal(said, "✗ dev/a/b  apply failed  no\n");
});

test("for a program there is no progress at all", () => {
  assert.equal(watch(true, 80, story, true), "");
});

/** What a terminal shows in the end: a carriage return and an erased line take back what was written since the line feed. */
function onScreen(text: string): string[] {
  return text.split("\n").map((line) => line.slice(line.lastIndexOf("\u001b[2K") + 1).replace(/^\[2K/, ""));
}
