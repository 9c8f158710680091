import { type ExportLine, exportLineSchema, parseCheckpointFile } from "./audit-export.ts";
import { type Checkpoint, parseCheckpoint } from "./checkpoint.ts";
import { CodedError } from "./coded-error.ts";
import { appendLeaf, EMPTY_FRONTIER, equalHashes, hashLeaf, type MerkleFrontier, rootOf } from "./merkle.ts";
import { isSignedBy, parseNote, parseVerifier } from "./signed-note.ts";

/** Something that does not agree, in a sentence that names the entry where it can. */
export interface AuditFinding {
  readonly kind:
    | "malformed"
    | "edited"
    | "dropped"
    | "duplicated"
    | "reordered"
    | "truncated"
    | "rewritten"
    | "unproven"
    | "unsigned";
  /** Of the entry it concerns. */
  readonly index?: number;
  readonly text: string;
}

export interface AuditVerdict {
  readonly intact: boolean;
  /** Entries read. */
  readonly size: number;
  readonly checkpoint: Checkpoint | undefined;
  /** "given": the caller knew the key; "file": it came with the checkpoint and proves only that both belong together. */
  readonly keySource: "given" | "file" | "none";
  readonly findings: readonly AuditFinding[];
}

export interface VerifyExportOptions {
  /** The key to trust, in note form; else the one in the checkpoint file. */
  readonly verifierKey?: string | undefined;
  /** Accept entries after the checkpoint's size: a later export held against an older checkpoint. */
  readonly allowNewer?: boolean;
}

/** More findings than this say nothing new. */
const MAX_FINDINGS = 100;

/**
 * Checks an exported log against a signed checkpoint, offline and in constant memory: nothing but the two files and the
 * key is believed. Finds entries that were edited, dropped, duplicated, reordered or cut off, and a log that was rewritten
 * or forked as a whole.
 *
 * @param lines JSON lines as `formatExportLine` writes them, line feeds removed; empty ones are skipped.
 * @param checkpointFile as `formatCheckpointFile` writes it, or a bare signed note.
 */
export async function verifyExport(
  lines: AsyncIterable<string> | Iterable<string>,
  checkpointFile: string,
  { verifierKey, allowNewer = false }: VerifyExportOptions = {},
): Promise<AuditVerdict> {
  const { checkpoint, keySource, findings: signing } = readSigned(checkpointFile, verifierKey);
  const log = await readLog(lines, checkpoint?.size);
  const findings = [...signing, ...log.findings];
  if (checkpoint !== undefined) findings.push(...compare(log, checkpoint, allowNewer));
  return { intact: findings.length === 0, size: log.count, checkpoint, keySource, findings };
}

interface Signed {
  readonly checkpoint: Checkpoint | undefined;
  readonly keySource: AuditVerdict["keySource"];
  readonly findings: readonly AuditFinding[];
}

function readSigned(file: string, given: string | undefined): Signed {
  try {
    const { note, verifierKey } = parseCheckpointFile(file);
    const checkpoint = parseCheckpoint(note);
    const key = given ?? verifierKey;
    if (key === undefined)
      return {
        checkpoint,
        keySource: "none",
        findings: [unsigned("no key is known to check the checkpoint's signature with")],
      };
    const keySource = given === undefined ? "file" : "given";
    const verifier = parseVerifier(key);
    if (verifier.name !== checkpoint.origin)
      return {
        checkpoint,
        keySource,
        findings: [unsigned(`the key is that of ${verifier.name}, the checkpoint of ${checkpoint.origin}`)],
      };
    if (!isSignedBy(parseNote(note), verifier))
      return { checkpoint, keySource, findings: [unsigned(`the checkpoint is not signed by ${verifier.text}`)] };
    return { checkpoint, keySource, findings: [] };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return {
      checkpoint: undefined,
      keySource: "none",
      findings: [unsigned(`the checkpoint cannot be read: ${error.what}`)],
    };
  }
}

function unsigned(text: string): AuditFinding {
  return { kind: "unsigned", text };
}

interface ReadLog {
  readonly count: number;
  readonly highest: number;
  readonly full: MerkleFrontier;
  /** As it was at the checkpoint's size. */
  readonly prefix: MerkleFrontier | undefined;
  readonly findings: readonly AuditFinding[];
}

async function readLog(lines: AsyncIterable<string> | Iterable<string>, size: number | undefined): Promise<ReadLog> {
  const findings: AuditFinding[] = [];
  const order = trackOrder();
  let frontier = EMPTY_FRONTIER;
  let prefix = size === 0 ? frontier : undefined;
  let number = 0;
  for await (const line of lines) {
    number += 1;
    if (line.trim() === "") continue;
    const entry = readLine(line);
    if (entry === undefined) {
      findings.push({ kind: "malformed", text: `line ${number} is not an exported entry` });
      continue;
    }
    const hash = hashLeaf(new TextEncoder().encode(entry.leaf));
    if (Buffer.from(hash).toString("base64") !== entry.hash)
      findings.push({
        kind: "edited",
        index: entry.index,
        text: `entry ${entry.index}${nameOf(entry)} was edited: it is not what its hash says`,
      });
    findings.push(...order.see(entry.index));
    frontier = appendLeaf(frontier, hash).frontier;
    if (frontier.size === size) prefix = frontier;
    if (findings.length > MAX_FINDINGS) findings.length = MAX_FINDINGS;
  }
  findings.push(...order.missing());
  return {
    count: frontier.size,
    highest: order.highest(),
    full: frontier,
    prefix,
    findings: findings.slice(0, MAX_FINDINGS),
  };
}

function readLine(line: string): ExportLine | undefined {
  try {
    const parsed = exportLineSchema.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** ` (evt_…, io.xcloudflow.…)` where the leaf still says so. */
function nameOf({ leaf }: ExportLine): string {
  const id = /"id":"([\w-]{1,80})"/.exec(leaf)?.[1];
  const type = /"type":"([\w.-]{1,120})"/.exec(leaf)?.[1];
  const known = [id, type].filter((part) => part !== undefined);
  return known.length === 0 ? "" : ` (${known.join(", ")})`;
}

interface OrderTracker {
  see(index: number): AuditFinding[];
  missing(): AuditFinding[];
  highest(): number;
}

/** Follows the index from line to line; gaps that are filled later were reordered, others were dropped. */
function trackOrder(): OrderTracker {
  const gaps = new Set<number>();
  let expected = 0;
  return {
    see(index) {
      if (index === expected) {
        expected += 1;
        return [];
      }
      if (index > expected) {
        for (let gap = expected; gap < index && gaps.size < MAX_GAPS; gap++) gaps.add(gap);
        expected = index + 1;
        return [];
      }
      if (gaps.delete(index))
        return [
          {
            kind: "reordered",
            index,
            text: `entry ${index} stands after entry ${expected - 1}: the log was reordered`,
          },
        ];
      return [{ kind: "duplicated", index, text: `entry ${index} is there twice` }];
    },
    missing: () => [...ranges([...gaps].sort((a, b) => a - b))].map(droppedFinding),
    highest: () => expected - 1,
  };
}

const MAX_GAPS = 1_000_000;

function droppedFinding([first, last]: readonly [number, number]): AuditFinding {
  const text = first === last ? `entry ${first} was dropped` : `entries ${first} to ${last} were dropped`;
  return { kind: "dropped", index: first, text };
}

function* ranges(sorted: readonly number[]): Generator<readonly [number, number]> {
  let start: number | undefined;
  let previous = -1;
  for (const value of sorted) {
    if (start === undefined) start = value;
    else if (value !== previous + 1) {
      yield [start, previous];
      start = value;
    }
    previous = value;
  }
  if (start !== undefined) yield [start, previous];
}

/** Missing and surplus entries first; only a log with all its entries in place can be told to be rewritten. */
function compare(log: ReadLog, checkpoint: Checkpoint, allowNewer: boolean): AuditFinding[] {
  const { size, root, origin } = checkpoint;
  const last = log.highest + 1;
  if (last < size) return [{ kind: "truncated", index: last, text: cutOff(last, size) }];
  const newer = log.count - size;
  const surplus: AuditFinding[] =
    newer > 0 && !allowNewer
      ? [{ kind: "unproven", index: size, text: `${newer} entries from ${size} on are not covered by the checkpoint` }]
      : [];
  if (log.prefix === undefined || log.findings.length > 0 || equalHashes(rootOf(log.prefix), root)) return surplus;
  return [
    ...surplus,
    {
      kind: "rewritten",
      text: `the first ${size} entries are not those that ${origin} signed: they were edited with their hashes, reordered or forked`,
    },
  ];
}

function cutOff(first: number, size: number): string {
  const what = first === size - 1 ? `entry ${first} is` : `entries ${first} to ${size - 1} are`;
  return `${what} missing at the end: the checkpoint covers ${size} entries`;
}
