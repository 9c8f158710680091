import { posix } from "node:path";
import { type Effects, EngineFailedError } from "@xcloudflow/runner-host/engine-errors";
import { z } from "zod";
import { PlanStaleError } from "./terraform-errors.ts";

export const diagnosticSchema = z.object({
  severity: z.string(),
  summary: z.string(),
  detail: z.string().default(""),
  address: z.string().optional(),
  range: z.object({ filename: z.string(), start: z.object({ line: z.number() }) }).optional(),
});
export type Diagnostic = z.infer<typeof diagnosticSchema>;

/** One diagnostic as lines of a log. */
export function describeDiagnostic({ severity, summary, detail, address, range }: Diagnostic): string {
  const place = range === undefined ? "" : `  on ${range.filename} line ${range.start.line}`;
  const subject = address === undefined ? "" : `  with ${address}`;
  return [`${severity === "warning" ? "Warning" : "Error"}: ${summary}`, subject, place, detail]
    .filter((line) => line !== "")
    .join("\n");
}

/**
 * Diagnostics of terraform's human output without colours, for commands and versions that print no JSON: a box or a plain
 * block that begins with `Error: `.
 */
export function parseHumanDiagnostics(text: string): Diagnostic[] {
  const plain = text.replaceAll(/^[│╷╵] ?/gm, "");
  return plain.split(/^(?=Error: )/m).flatMap((block) => {
    const summary = /^Error: (.+)/.exec(block)?.[1];
    if (summary === undefined) return [];
    const place = /^\s+on (\S+) line (\d+)/m.exec(block);
    const detail = block
      .slice(block.indexOf("\n") + 1)
      .replace(/^\s+on \S+ line \d+.*\n(?:\s+\d+: .*\n)*/m, "")
      .trim();
    return [
      {
        severity: "error",
        summary: summary.trim(),
        detail: detail === block.trim() ? "" : detail,
        ...(place?.[1] === undefined ? {} : { range: { filename: place[1], start: { line: Number(place[2]) } } }),
      },
    ];
  });
}

export interface FailureContext {
  /** `plan`, `apply` …: what was being done. */
  readonly command: string;
  readonly effects: Effects;
  /** Folder of the module inside the repository, to name files as their authors do. */
  readonly modulePath: string;
  readonly exit: { readonly code: number | null; readonly signal: string | null; diskFull?(): boolean };
  /** What was printed outside of diagnostics, for when there are none. */
  readonly output: string;
}

interface Known {
  readonly when: RegExp;
  readonly code: string;
  readonly category: "invalid" | "unavailable" | "conflict" | "exhausted" | "forbidden";
  readonly retryable?: boolean;
  readonly hint: string;
}

const DISK_HINT = "free space below the worker's scratch or cache folder, then retry the run";

const CORRECT_HINT = "correct it, commit, and plan again";
const GO_ON_HINT =
  "what was done is in the state; remove the cause and `xcf retry` the run, or correct it and plan again";

/** Problems that have a code and a better hint than terraform's; the first that matches summary and detail counts. */
const KNOWN: readonly Known[] = [
  {
    when: /no space left on device|disk quota exceeded/i,
    code: "DISK_FULL",
    category: "exhausted",
    hint: DISK_HINT,
  },
  {
    when: /^Invalid value for (?:input )?variable/i,
    code: "UNIT_INPUT_INVALID",
    category: "invalid",
    hint: "correct the value under `inputs` in the composition, or the variable's type or validation in the module",
  },
  {
    when: /^Unsupported (?:Terraform Core|OpenTofu Core|version)/i,
    code: "ENGINE_VERSION_UNSUITABLE",
    category: "invalid",
    hint: "install a version that the module's required_version allows, or change the constraint",
  },
  {
    when: /Inconsistent dependency lock file|Provider dependency changes detected|lock file is read-only/i,
    code: "LOCK_FILE_OUTDATED",
    category: "invalid",
    hint: "run `terraform init` in the module and commit .terraform.lock.hcl",
  },
  {
    when: /Failed to (?:query available provider packages|install provider)|Could not (?:retrieve|load) the list of available versions/i,
    code: "PROVIDER_UNAVAILABLE",
    category: "unavailable",
    retryable: true,
    hint: "check the network, or configure a provider mirror in the CLI configuration",
  },
  {
    when: /Failed to download module|Module not found|Could not download module/i,
    code: "MODULE_UNAVAILABLE",
    category: "unavailable",
    retryable: true,
    hint: "check the module's source and the network",
  },
  {
    when: /HTTP remote state endpoint requires auth|HTTP remote state endpoint invalid auth/i,
    code: "STATE_FORBIDDEN",
    category: "forbidden",
    hint: "the attempt's token is not valid any more; retry the run",
  },
  {
    when: /Error loading state|Failed to (?:get|load) (?:existing )?(?:workspaces|state)|Error refreshing state|Failed to request|giving up after \d+ attempt/i,
    code: "STATE_UNAVAILABLE",
    category: "unavailable",
    retryable: true,
    hint: "check that the state backend is reachable from this worker",
  },
];

/** The error a failed terraform command becomes: the first diagnostic's words, with a code where the problem is known. */
export function failureOf(diagnostics: readonly Diagnostic[], context: FailureContext): EngineFailedError {
  const all = diagnostics.filter(({ severity }) => severity === "error");
  // An error of `init` that says no more than that there are errors.
  const telling = all.filter(({ summary }) => !/encountered problems during initiali[sz]ation/.test(summary));
  const errors = telling.length === 0 ? all : telling;
  const [first] = errors;
  const { effects } = context;
  if (context.exit.diskFull?.() === true) {
    return new EngineFailedError("DISK_FULL", "exhausted", {
      what: `terraform ${context.command} failed with no space left on the worker's disk${first === undefined ? "" : `: ${first.summary}`}`,
      hint: DISK_HINT,
      effects,
    });
  }
  if (first === undefined) {
    const ended = context.exit.signal === null ? `exit code ${context.exit.code}` : `signal ${context.exit.signal}`;
    const said = context.output.trim().split("\n").slice(-5).join(" ").slice(0, 1_000);
    return new EngineFailedError("TERRAFORM_FAILED", "internal", {
      what: `terraform ${context.command} ended with ${ended}${said === "" ? " and said nothing" : `: ${said}`}`,
      hint: "look in the unit's log",
      effects,
    });
  }
  const text = `${first.summary}\n${first.detail}`;
  if (/^(?:Saved plan is stale|Saved plan does not match the given state)/.test(first.summary)) {
    return new PlanStaleError("PLAN_STALE", `terraform refuses the saved plan: ${first.summary}`);
  }
  if (/acquiring the state lock/i.test(first.summary)) return lockHeld(first);
  const known = KNOWN.find(({ when }) => when.test(text));
  const more = errors.length === 1 ? "" : ` (and ${errors.length - 1} more errors)`;
  const detail = first.detail === "" ? "" : `: ${first.detail.replaceAll(/\s*\n\s*/g, " ")}`;
  return new EngineFailedError(known?.code ?? "TERRAFORM_FAILED", known?.category ?? "invalid", {
    what: `${first.summary}${detail}${more}`.slice(0, 4_000),
    // A file of the attempt's own, of which its author has never heard, is no place to look at.
    ...(first.range === undefined || posix.isAbsolute(first.range.filename)
      ? {}
      : { where: `${filePath(first.range.filename, context.modulePath)}:${first.range.start.line}` }),
    hint: known?.hint ?? (effects === "none" ? CORRECT_HINT : GO_ON_HINT),
    effects,
    retryable: (known?.retryable ?? false) && effects === "none",
  });
}

/** A path terraform printed relative to the module, as a path of the repository. */
export function filePath(filename: string, modulePath: string): string {
  const inArchive = /(?:^|\/)module\/(.*)$/.exec(filename)?.[1];
  if (filename.startsWith("../") && inArchive !== undefined) return inArchive;
  return filename.startsWith(".terraform/") ? filename : posix.normalize(posix.join(modulePath, filename));
}

/** Terraform repeats the holder's lock info in the detail; see `statemgr.LockError`. */
function lockHeld({ summary, detail }: Diagnostic): EngineFailedError {
  const field = (name: string): string | undefined =>
    new RegExp(`^\\s*${name}:\\s+(\\S.*)$`, "m").exec(detail)?.[1]?.trim();
  const id = field("ID");
  if (id === undefined) {
    return new EngineFailedError("STATE_UNAVAILABLE", "unavailable", {
      what: `${summary}: ${detail.split("\n")[0] ?? ""}`,
      hint: "check that the state backend is reachable from this worker",
      effects: "none",
      retryable: true,
    });
  }
  return lockHeldError({
    who: field("Who") ?? "somebody",
    created: field("Created") ?? "an unknown time",
    operation: field("Operation") ?? "unknown operation",
    id,
  });
}

export interface LockDescription {
  readonly who: string;
  readonly created: string;
  readonly operation: string;
  readonly id: string;
}

export function lockHeldError({ who, created, operation, id }: LockDescription): EngineFailedError {
  return new EngineFailedError("STATE_LOCK_HELD", "conflict", {
    what: `the state is locked by ${who} since ${created} (${operation}, lock ${id})`,
    hint: "wait for it to end; if it died, break the lock with `terraform force-unlock` or `xcf unlock --engine <address>`",
    effects: "none",
    retryable: true,
  });
}
