import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { defineProgram, runProgram } from "../program.ts";
import type { Surroundings } from "../surroundings.ts";

/** What a verb prints, without a process. */
async function run(...words: string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const said = { out: "", err: "" };
  const code = await runProgram(surroundings(said), words);
  return { code, ...said };
}

function surroundings(said: { out: string; err: string }): Surroundings {
  return {
    terminal: {
      out: (text) => {
        said.out += text;
      },
      err: (text) => {
        said.err += text;
      },
      live: false,
      columns: 80,
      color: false,
    },
    directory: "/",
    environment: {},
    clock: createSystemClock(),
    version: "1.2.3",
    self: { executable: "/nowhere", arguments: [] },
    interrupted: new AbortController().signal,
  };
}

/** The verbs of interfaces that people depend on; a hidden one is nobody's business. */
const VERBS = [
  ...["init", "doctor", "completion", "validate", "graph", "explain", "plan", "drift", "show", "approve", "reject"],
  ...["apply", "runs", "watch", "cancel", "retry", "unlock", "why", "state", "token", "audit", "policy", "up"],
];

test("help lists every verb and no hidden one", async () => {
  const { code, out } = await run("--help");
  assert.equal(code, 0);
  const listed = [...out.matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => name).filter((name) => name !== "help");
  assert.deepEqual(listed.sort(), VERBS.toSorted());
});

test("every verb says in its help what it does, for every option", async () => {
  const program = defineProgram(surroundings({ out: "", err: "" }), () => undefined);
  for (const verb of program.commands.flatMap((command) => [command, ...command.commands])) {
    assert.notEqual(verb.description(), "", verb.name());
    for (const option of verb.options) assert.notEqual(option.description, "", `${verb.name()} ${option.flags}`);
  }
});

for (const shell of ["bash", "zsh", "fish"]) {
  test(`the ${shell} completion knows every verb and is a script that ${shell} reads`, async (context) => {
    const { code, out } = await run("completion", shell);
    assert.equal(code, 0);
    for (const verb of VERBS) assert.match(out, new RegExp(`\\b${verb}\\b`));
    assert.doesNotMatch(out, /initdb|owner/);
    const { status, stderr, error } = spawnSync(shell, ["-n"], { input: out, encoding: "utf8" });
    if (error !== undefined) return context.skip(`needs ${shell}`);
    assert.equal(status, 0, stderr);
  });
}

test("bash completes the words of a nested verb", async () => {
  const { out } = await run("completion", "bash");
  const script = `${out}\nCOMP_WORDS=(xcf state ""); COMP_CWORD=2; _xcf; echo "\${COMPREPLY[@]}"`;
  const { stdout } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
  for (const word of ["list", "show", "versions", "pull"]) assert.ok(stdout.split(/\s+/).includes(word), stdout);
});

test("another shell is refused", async () => {
  const { code, err } = await run("completion", "tcsh");
  assert.equal(code, 5);
  assert.match(err, /Allowed choices are bash, zsh, fish/);
});
