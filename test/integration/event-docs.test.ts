import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "../..");

test("docs/events.md names every type of event that the services write", () => {
  const documented = readFileSync(join(root, "docs/events.md"), "utf8");
  const found = new Set<string>();
  for (const file of globSync("services/*/src/**/*.ts", { cwd: root })) {
    const text = readFileSync(join(root, file), "utf8");
    for (const [, noun, verb] of text.matchAll(/draftEvent\(\s*"([a-z-]+)",\s*"([a-z-]+)"/g))
      found.add(`${noun}.${verb}`);
    if (!file.endsWith("-events.ts")) continue;
    for (const [, name = ""] of text.matchAll(/"([a-z-]+\.[a-z-]+)"/g)) found.add(name);
  }
  assert.ok(found.size > 30, `${found.size} found`);
  const missing = [...found].filter((name) => {
    const [noun = "", verb = ""] = name.split(".");
    return !documented.split("\n").some((line) => line.includes(` ${noun}`) && line.includes(`\`${verb}\``));
  });
  assert.deepEqual(missing, []);
});
