import { createWriteStream } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { cloudEventSchema } from "@xcloudflow/chassis/event";
import { formatCheckpointFile, formatExportLine } from "@xcloudflow/model/audit-export";
import { decodeDocument } from "@xcloudflow/model/parse-json";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { explainFileError } from "../given-file.ts";
import { inSession } from "../in-session.ts";
import { auditExportOutputSchema, auditProveOutputSchema, auditQueryOutputSchema } from "../output/audit-output.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";

export interface AuditQueryOptions extends CommonOptions {
  readonly type?: string;
  readonly subject?: string;
  readonly actor?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit: number;
}

/** Events, newest first. */
export async function auditQuery(surroundings: Surroundings, options: AuditQueryOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const { type = "", subject = "", actor = "", since = "", until = "" } = options;
    const { entries } = await session.api.queryAudit(
      { type, subject, actor, since, until, page: { size: options.limit, token: "" } },
      session.call,
    );
    const events = entries.map(({ index, leaf }) => ({
      index: Number(index),
      event: decodeDocument(cloudEventSchema, leaf, `audit entry ${index}`),
    }));
    if (options.output === "json") printJson(surroundings.terminal, auditQueryOutputSchema, { entries: events });
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
export async function auditProve(surroundings: Surroundings, event: string, options: CommonOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const request = /^\d+$/.test(event) ? { index: BigInt(event) } : { eventId: event };
    const proof = await session.api.proveAudit(request, session.call);
    const shown = {
      index: Number(proof.entry?.index ?? 0n),
      leaf: new TextDecoder().decode(proof.entry?.leaf),
      hashes: proof.hashes.map((hash) => Buffer.from(hash).toString("base64")),
      checkpoint: proof.checkpoint,
      verifierKey: proof.verifierKey,
    };
    if (options.output === "json") printJson(surroundings.terminal, auditProveOutputSchema, shown);
    else
      surroundings.terminal.out(
        `Entry ${shown.index}: ${shown.leaf}\n${shown.hashes.length} hashes lead to the root of:\n${shown.checkpoint}\n`,
      );
    return EXIT.done;
  });
}

export interface AuditExportOptions extends CommonOptions {
  readonly log?: string;
  readonly checkpoint?: string;
}

/** Every leaf as hashed, and the signed checkpoint over all of them, as two files; the log may be larger than memory. */
export async function auditExport(surroundings: Surroundings, options: AuditExportOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const log = resolve(surroundings.directory, options.log ?? "audit.jsonl");
    const checkpoint = resolve(surroundings.directory, options.checkpoint ?? "audit.checkpoint");
    let entries = 0;
    let signed = "";
    async function* lines(): AsyncGenerator<string> {
      for await (const { part } of session.api.exportAudit({}, session.call)) {
        if (part.case === "entry") {
          entries += 1;
          yield `${formatExportLine(Number(part.value.index), part.value.leaf)}\n`;
        } else if (part.case === "checkpoint")
          signed = formatCheckpointFile(part.value.checkpoint, part.value.verifierKey);
      }
    }
    // An export that breaks off leaves an earlier one as it was.
    const draft = `${log}.part`;
    try {
      await pipeline(lines, createWriteStream(draft));
      await rename(draft, log);
    } catch (error) {
      await rm(draft, { force: true });
      throw explainFileError(error, log, "written");
    }
    await writeFile(checkpoint, signed).catch((error: unknown) => {
      throw explainFileError(error, checkpoint, "written");
    });
    if (options.output === "json")
      printJson(surroundings.terminal, auditExportOutputSchema, { entries, log, checkpoint });
    else surroundings.terminal.out(`${entries} events to ${log}, signed checkpoint to ${checkpoint}\n`);
    return EXIT.done;
  });
}
