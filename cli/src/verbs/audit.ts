import { createReadStream } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { cloudEventSchema } from "@xcloudflow/chassis/event";
import { formatCheckpointFile, formatExportLine } from "@xcloudflow/model/audit-export";
import { verifyExport } from "@xcloudflow/model/audit-verification";
import { CodedError } from "@xcloudflow/model/coded-error";
import { decodeDocument } from "@xcloudflow/model/parse-json";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { inSession } from "../in-session.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";

export interface AuditOptions extends CommonOptions {
  readonly type?: string;
  readonly subject?: string;
  readonly actor?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit?: string;
  readonly log?: string;
  readonly checkpoint?: string;
  readonly key?: string;
}

/** Thrown when `audit verify` gets one of its two files only. */
export class VerifyFilesError extends CodedError {
  constructor() {
    super("VERIFY_FILES_INCOMPLETE", "invalid", {
      what: "an exported log is verified against its checkpoint",
      hint: "give both --log FILE and --checkpoint FILE",
    });
  }
}

/** Events, newest first. */
export async function auditQuery(surroundings: Surroundings, options: AuditOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const { type = "", subject = "", actor = "", since = "", until = "" } = options;
    const { entries } = await session.api.queryAudit(
      { type, subject, actor, since, until, page: { size: Number(options.limit ?? 50), token: "" } },
      session.call,
    );
    const events = entries.map(({ index, leaf }) => ({
      index,
      event: decodeDocument(cloudEventSchema, leaf, `audit entry ${index}`),
    }));
    if (options.output === "json") printJson(surroundings.terminal, { entries: events });
    else {
      const lines = events.map(
        ({ index, event }) =>
          `${String(index).padStart(5)}  ${event.time}  ${event.type.replace("io.xcloudflow.", "").padEnd(32)}  ${event.xcfactor}  ${event.subject ?? ""}\n`,
      );
      surroundings.terminal.out(lines.length === 0 ? "No events.\n" : lines.join(""));
    }
    return EXIT.done;
  });
}

/** That one event is in the log: the entry, the hashes that lead to the root, and the signed checkpoint. */
export async function auditProve(surroundings: Surroundings, event: string, options: AuditOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const request = /^\d+$/.test(event) ? { index: BigInt(event) } : { eventId: event };
    const proof = await session.api.proveAudit(request, session.call);
    const shown = {
      index: proof.entry?.index ?? 0n,
      leaf: new TextDecoder().decode(proof.entry?.leaf),
      hashes: proof.hashes.map((hash) => Buffer.from(hash).toString("base64")),
      checkpoint: proof.checkpoint,
      verifierKey: proof.verifierKey,
    };
    if (options.output === "json") printJson(surroundings.terminal, shown);
    else
      surroundings.terminal.out(
        `Entry ${shown.index}: ${shown.leaf}\n${shown.hashes.length} hashes lead to the root of:\n${shown.checkpoint}\n`,
      );
    return EXIT.done;
  });
}

/** Every leaf as hashed, and the signed checkpoint over all of them, as two files. */
export async function auditExport(surroundings: Surroundings, options: AuditOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const log = resolve(surroundings.directory, options.log ?? "audit.jsonl");
    const checkpoint = resolve(surroundings.directory, options.checkpoint ?? "audit.checkpoint");
    const lines: string[] = [];
    let signed = "";
    for await (const { part } of session.api.exportAudit({}, session.call)) {
      if (part.case === "entry") lines.push(formatExportLine(Number(part.value.index), part.value.leaf));
      else if (part.case === "checkpoint") signed = formatCheckpointFile(part.value.checkpoint, part.value.verifierKey);
    }
    await writeFile(log, lines.map((line) => `${line.trimEnd()}\n`).join(""));
    await writeFile(checkpoint, signed);
    if (options.output === "json") printJson(surroundings.terminal, { entries: lines.length, log, checkpoint });
    else surroundings.terminal.out(`${lines.length} events to ${log}, signed checkpoint to ${checkpoint}\n`);
    return EXIT.done;
  });
}

/** Offline with two files, else the log the control plane keeps. 1 and what is wrong, when anything was changed. */
export async function auditVerify(surroundings: Surroundings, options: AuditOptions): Promise<ExitCode> {
  if (options.log === undefined && options.checkpoint === undefined) return verifyOnline(surroundings, options);
  if (options.log === undefined || options.checkpoint === undefined) throw new VerifyFilesError();
  const checkpoint = await readFile(resolve(surroundings.directory, options.checkpoint), "utf8");
  const lines = createInterface({
    input: createReadStream(resolve(surroundings.directory, options.log)),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  const verdict = await verifyExport(lines, checkpoint, options.key === undefined ? {} : { verifierKey: options.key });
  return report(surroundings, options, {
    intact: verdict.findings.length === 0,
    size: verdict.size,
    findings: verdict.findings.map((finding) => finding.text),
  });
}

async function verifyOnline(surroundings: Surroundings, options: AuditOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const { intact, size, findings } = await session.api.verifyAudit({}, session.call);
    return report(surroundings, options, { intact, size: Number(size), findings });
  });
}

function report(
  { terminal }: Surroundings,
  options: AuditOptions,
  verdict: { readonly intact: boolean; readonly size: number; readonly findings: readonly string[] },
): ExitCode {
  if (options.output === "json") printJson(terminal, verdict);
  else
    terminal.out(
      verdict.intact
        ? `Intact: ${verdict.size} events agree with the signed checkpoint.\n`
        : `Tampered with:\n${verdict.findings.map((finding) => `- ${finding}\n`).join("")}`,
    );
  return verdict.intact ? EXIT.done : EXIT.failed;
}
