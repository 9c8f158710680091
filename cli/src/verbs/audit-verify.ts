import { createReadStream } from "node:fs";
import { access, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { readPublicKey } from "@xcloudflow/chassis/key-files";
import { loadOrCreateKeyPair, userConfigFolder } from "@xcloudflow/chassis/keys";
import { parseCheckpointFile } from "@xcloudflow/model/audit-export";
import { verifyExport } from "@xcloudflow/model/audit-verification";
import { parseCheckpoint } from "@xcloudflow/model/checkpoint";
import { CodedError } from "@xcloudflow/model/coded-error";
import { noteVerifier } from "@xcloudflow/model/signed-note";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { explainFileError } from "../given-file.ts";
import { inSession } from "../in-session.ts";
import { type AuditVerifyOutput, auditVerifyOutputSchema } from "../output/audit-output.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";

export interface AuditVerifyOptions extends CommonOptions {
  readonly log?: string;
  readonly checkpoint?: string;
  readonly key?: string;
}

/** Thrown when `audit verify` gets one of its two files only, or a key and nothing to hold it against. */
export class VerifyFilesError extends CodedError {
  constructor() {
    super("VERIFY_FILES_INCOMPLETE", "invalid", {
      what: "an exported log is verified against its checkpoint",
      hint: "give both --log FILE and --checkpoint FILE",
    });
  }
}

/** Offline with two files, else the log the control plane keeps. 1 and what is wrong, when anything was changed. */
export async function auditVerify(surroundings: Surroundings, options: AuditVerifyOptions): Promise<ExitCode> {
  const { log, checkpoint, key } = options;
  if (log === undefined && checkpoint === undefined && key === undefined) return verifyKept(surroundings, options);
  if (log === undefined || checkpoint === undefined) throw new VerifyFilesError();
  return verifyFiles(
    surroundings,
    options,
    resolve(surroundings.directory, log),
    resolve(surroundings.directory, checkpoint),
  );
}

async function verifyFiles(
  surroundings: Surroundings,
  options: AuditVerifyOptions,
  log: string,
  checkpoint: string,
): Promise<ExitCode> {
  const signed = await readFile(checkpoint, "utf8").catch((error: unknown) => {
    throw explainFileError(error, checkpoint, "read");
  });
  const local = options.key === undefined ? await findLocalKey(surroundings, signed) : undefined;
  const verifierKey = options.key === undefined ? local : await readGivenKey(surroundings, options.key, signed);
  // Opened first: readline would hide why it cannot be.
  const stream = createReadStream(log, "utf8");
  await new Promise((opened, failed) => stream.once("open", opened).once("error", failed)).catch((error: unknown) => {
    throw explainFileError(error, log, "read");
  });
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  const verdict = await verifyExport(lines, signed, { verifierKey });
  const keySource = verdict.keySource === "given" && local !== undefined ? "local" : verdict.keySource;
  return report(surroundings, options, {
    intact: verdict.findings.length === 0,
    size: verdict.size,
    keySource,
    findings: verdict.findings.map(({ kind, text }) =>
      kind === "unsigned" && keySource === "local"
        ? `${text}, this account's; a log made elsewhere needs its --key`
        : text,
    ),
  });
}

/** A verifier key as the checkpoint format writes it, or a file with the public key in PEM. */
async function readGivenKey({ directory }: Surroundings, given: string, signed: string): Promise<string> {
  const path = resolve(directory, given);
  const isFile = await access(path).then(
    () => true,
    () => false,
  );
  if (!isFile) return given;
  return noteVerifier(parseCheckpoint(parseCheckpointFile(signed).note).origin, await readPublicKey(path)).text;
}

/** The key this account's control planes sign with, under the log's name; undefined where none was ever made. */
async function findLocalKey({ environment }: Surroundings, signed: string): Promise<string | undefined> {
  const folder = userConfigFolder(environment, environment.HOME ?? homedir());
  const isThere = await access(join(folder, "audit.pem")).then(
    () => true,
    () => false,
  );
  if (!isThere) return undefined;
  const { publicKey } = await loadOrCreateKeyPair(folder, "audit");
  return noteVerifier(parseCheckpoint(parseCheckpointFile(signed).note).origin, publicKey).text;
}

async function verifyKept(surroundings: Surroundings, options: AuditVerifyOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const { intact, size, findings } = await session.api.verifyAudit({}, session.call);
    return report(surroundings, options, { intact, size: Number(size), keySource: "server", findings });
  });
}

const KEYS: Readonly<Record<AuditVerifyOutput["keySource"], string>> = {
  given: "the key you gave",
  local: "this account's key",
  file: "the key in the checkpoint file itself, which proves only that the two files belong together: give --key",
  server: "the control plane's own key",
  none: "no key",
};

function report({ terminal }: Surroundings, options: CommonOptions, verdict: AuditVerifyOutput): ExitCode {
  if (options.output === "json") printJson(terminal, auditVerifyOutputSchema, verdict);
  else if (verdict.intact)
    terminal.out(
      `Intact: ${verdict.size} events agree with the signed checkpoint.\nVerified with ${KEYS[verdict.keySource]}.\n`,
    );
  else terminal.out(`Tampered with:\n${verdict.findings.map((finding) => `- ${finding}\n`).join("")}`);
  return verdict.intact ? EXIT.done : EXIT.failed;
}
