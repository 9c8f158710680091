import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { z } from "zod";
import { chartFolder } from "./rendered-chart.ts";

/** Tables whose keys are the user's, or that the README describes as one value. */
const whole = ["images", "services", "pools", "tls.certManager.issuerRef"];

function pathsOf(value: unknown, path: string): string[] {
  const table = z.record(z.string(), z.unknown()).safeParse(value);
  const leaf = !table.success || whole.includes(path) || (path !== "" && /(resources|labels)$/i.test(path));
  if (leaf || Object.keys(table.data).length === 0) return [path];
  return Object.entries(table.data).flatMap(([key, below]) => pathsOf(below, path === "" ? key : `${path}.${key}`));
}

test("the chart's README has a row for every value, and for no other", () => {
  const values: unknown = parse(readFileSync(join(chartFolder, "values.yaml"), "utf8"));
  const rows = readFileSync(join(chartFolder, "README.md"), "utf8").matchAll(/^\| (`[^|]*) \|/gm);
  const described = [...rows].flatMap(([, cell = ""]) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
  assert.deepEqual(described.sort(), pathsOf(values, "").sort());
});
