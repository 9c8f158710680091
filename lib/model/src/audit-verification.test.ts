import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { type ExportLine, exportLineSchema, formatCheckpointFile, formatExportLine } from "./audit-export.ts";
import { type AuditVerdict, verifyExport } from "./audit-verification.ts";
import { signCheckpoint } from "./checkpoint.ts";
import { appendLeaf, EMPTY_FRONTIER, hashLeaf, rootOf } from "./merkle.ts";
import { noteVerifier } from "./signed-note.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const ORIGIN = "log.example/default";
const key = noteVerifier(ORIGIN, publicKey).text;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function exportOf(count: number, tag = "entry"): string[] {
  return Array.from({ length: count }, (_, index) =>
    formatExportLine(
      index,
      bytes(JSON.stringify({ id: `evt_${index}`, type: "io.xcloudflow.a.b.c", data: { tag, ü: "✓" } })),
    ),
  );
}

function checkpointOver(lines: readonly string[], signer = privateKey, origin = ORIGIN): string {
  const frontier = lines.reduce(
    (sum, line) => appendLeaf(sum, hashLeaf(bytes(read(line).leaf))).frontier,
    EMPTY_FRONTIER,
  );
  const note = signCheckpoint({ origin, size: frontier.size, root: rootOf(frontier) }, signer);
  return formatCheckpointFile(note, noteVerifier(origin, publicKey).text);
}

const read = (line: string | undefined): ExportLine => exportLineSchema.parse(JSON.parse(line ?? ""));
const kinds = ({ findings }: AuditVerdict): string[] => findings.map(({ kind }) => kind);
const renumber = (lines: readonly string[]): string[] =>
  lines.map((line, index) => formatExportLine(index, bytes(read(line).leaf)));

const LINES = exportOf(20);
const CHECKPOINT = checkpointOver(LINES);

test("finds nothing in a log as it was exported", async () => {
  for (const count of [0, 1, 2, 7, 20]) {
    const lines = exportOf(count);
    const verdict = await verifyExport(lines, checkpointOver(lines), { verifierKey: key });
    assert.deepEqual([verdict.intact, verdict.size, verdict.keySource, verdict.findings], [true, count, "given", []]);
  }
  assert.equal((await verifyExport([...LINES, ""], CHECKPOINT.replaceAll("\n", "\r\n"))).intact, true);
  assert.equal((await verifyExport(LINES, CHECKPOINT)).keySource, "file");
});

test("names the entry that was edited", async () => {
  const edited = LINES.with(
    7,
    JSON.stringify({ ...read(LINES[7]), leaf: read(LINES[7]).leaf.replace("entry", "forged") }),
  );
  const verdict = await verifyExport(edited, CHECKPOINT);
  assert.deepEqual(kinds(verdict), ["edited"]);
  assert.match(verdict.findings[0]?.text ?? "", /entry 7 \(evt_7, io\.xcloudflow\.a\.b\.c\) was edited/);
});

test("says rewritten when the hash was edited along", async () => {
  const edited = LINES.with(7, formatExportLine(7, bytes(read(LINES[7]).leaf.replace("entry", "forged"))));
  const verdict = await verifyExport(edited, CHECKPOINT);
  assert.deepEqual(kinds(verdict), ["rewritten"]);
});

test("names the entries that were dropped", async () => {
  const one = await verifyExport(LINES.toSpliced(5, 1), CHECKPOINT);
  assert.deepEqual(one.findings, [{ kind: "dropped", index: 5, text: "entry 5 was dropped" }]);
  const several = await verifyExport(LINES.toSpliced(5, 3).toSpliced(0, 1), CHECKPOINT);
  assert.deepEqual(
    several.findings.map(({ text }) => text),
    ["entry 0 was dropped", "entries 5 to 7 were dropped"],
  );
  assert.deepEqual(kinds(await verifyExport(renumber(LINES.toSpliced(5, 1)), CHECKPOINT)), ["truncated"]);
});

test("names the entries that were cut off", async () => {
  const verdict = await verifyExport(LINES.slice(0, 17), CHECKPOINT);
  assert.deepEqual(kinds(verdict), ["truncated"]);
  assert.match(verdict.findings[0]?.text ?? "", /entries 17 to 19 are missing at the end/);
  assert.deepEqual(kinds(await verifyExport([], CHECKPOINT)), ["truncated"]);
});

test("names the entries that were moved", async () => {
  const moved = [...LINES.slice(0, 3), LINES[4] ?? "", LINES[3] ?? "", ...LINES.slice(5)];
  const verdict = await verifyExport(moved, CHECKPOINT);
  assert.deepEqual(kinds(verdict), ["reordered"]);
  assert.match(verdict.findings[0]?.text ?? "", /entry 3 stands after entry 4/);
  assert.deepEqual(kinds(await verifyExport(renumber(moved), CHECKPOINT)), ["rewritten"]);
});

test("names entries that are there twice, and lines that are none", async () => {
  assert.deepEqual(kinds(await verifyExport([...LINES.slice(0, 4), ...LINES.slice(3)], CHECKPOINT)), [
    "duplicated",
    "unproven",
  ]);
  assert.deepEqual(kinds(await verifyExport(LINES.with(2, "{}"), CHECKPOINT)), ["malformed", "dropped"]);
});

test("sees a fork and entries the checkpoint does not cover", async () => {
  const forked = [...LINES.slice(0, 15), ...exportOf(20, "fork").slice(15)];
  assert.deepEqual(kinds(await verifyExport(forked, CHECKPOINT)), ["rewritten"]);
  const longer = exportOf(25);
  assert.deepEqual(kinds(await verifyExport(longer, CHECKPOINT)), ["unproven"]);
  assert.deepEqual(kinds(await verifyExport(longer, CHECKPOINT, { allowNewer: true })), []);
  const forkedLater = [...forked, ...longer.slice(20)];
  assert.deepEqual(kinds(await verifyExport(forkedLater, CHECKPOINT, { allowNewer: true })), ["rewritten"]);
});

test("believes no checkpoint but one signed by the key", async () => {
  const forged = exportOf(20, "forged");
  const stranger = generateKeyPairSync("ed25519");
  assert.deepEqual(kinds(await verifyExport(forged, checkpointOver(forged, stranger.privateKey))), ["unsigned"]);
  const itsOwnKey = formatCheckpointFile(
    checkpointOver(forged, stranger.privateKey).split("verifier-key ")[0] ?? "",
    noteVerifier(ORIGIN, stranger.publicKey).text,
  );
  assert.deepEqual(
    kinds(await verifyExport(forged, itsOwnKey)),
    [],
    "with no key given, the files only agree with each other",
  );
  assert.deepEqual(kinds(await verifyExport(forged, itsOwnKey, { verifierKey: key })), ["unsigned"]);
  assert.deepEqual(
    kinds(await verifyExport(forged, checkpointOver(forged, privateKey, "log.example/other"), { verifierKey: key })),
    ["unsigned"],
  );
  assert.deepEqual(kinds(await verifyExport(LINES, CHECKPOINT.replace("20\n", "19\n"))), [
    "unsigned",
    "unproven",
    "rewritten",
  ]);
  assert.deepEqual(kinds(await verifyExport(LINES, "nonsense")), ["unsigned"]);
});

test("finds any change of any log", async () => {
  const change = fc.oneof(
    fc.record({ kind: fc.constant("drop" as const), at: fc.nat(19), to: fc.nat(19) }),
    fc.record({ kind: fc.constant("swap" as const), at: fc.nat(19), to: fc.nat(19) }),
    fc.record({ kind: fc.constant("edit" as const), at: fc.nat(19), to: fc.nat(19) }),
    fc.record({ kind: fc.constant("copy" as const), at: fc.nat(19), to: fc.nat(19) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), fc.boolean(), async (changes, renumbered) => {
      let lines = [...LINES];
      for (const { kind, at, to } of changes) {
        if (at >= lines.length || to >= lines.length) continue;
        const line = lines[at] ?? LINES[at] ?? "";
        if (kind === "drop") lines.splice(at, 1);
        else if (kind === "copy") lines.splice(to, 0, line);
        else if (kind === "edit") lines[at] = formatExportLine(read(line).index, bytes(`${read(line).leaf} `));
        else [lines[at], lines[to]] = [lines[to] ?? line, line];
      }
      if (renumbered) lines = renumber(lines);
      const same = lines.length === LINES.length && lines.every((line, index) => line === LINES[index]);
      assert.equal((await verifyExport(lines, CHECKPOINT, { verifierKey: key })).intact, same);
    }),
    { numRuns: 300 },
  );
});
