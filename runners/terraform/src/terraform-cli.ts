import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { isJsonObject } from "@xcloudflow/model/json-value";
import { parseJson } from "@xcloudflow/model/parse-json";
import type { Attempt, ProgressAction } from "@xcloudflow/runner-host/attempt";
import { EngineMissingError } from "@xcloudflow/runner-host/engine-errors";
import type { EngineExit } from "@xcloudflow/runner-host/engine-process-cli";
import type { EngineActor } from "@xcloudflow/runner-host/isolation";
import { z } from "zod";
import type { TerraformProduct } from "./terraform-config.ts";
import {
  type Diagnostic,
  describeDiagnostic,
  diagnosticSchema,
  parseHumanDiagnostics,
} from "./terraform-diagnostics.ts";
import { EngineVersionUnsuitableError } from "./terraform-errors.ts";

export interface TerraformBinary {
  readonly file: string;
  readonly product: TerraformProduct;
  /** `1.11.4`, or `opentofu 1.12.6`: a plan of one is nothing to the other. */
  readonly version: string;
}

const execute = promisify(execFile);
const versionSchema = z.object({ terraform_version: z.string() });
const OLDEST = { major: 1, minor: 4 };

/**
 * Asks a program on the PATH, or at an absolute path, what it is.
 *
 * @throws {EngineMissingError} when it cannot be run.
 * @throws {EngineVersionUnsuitableError} when it is older than 1.4, whose `terraform_data` provisional plans need.
 */
export async function detectTerraform(
  file: string,
  environment: Readonly<Record<string, string>>,
): Promise<TerraformBinary> {
  let stdout: string;
  try {
    ({ stdout } = await execute(file, ["version", "-json"], {
      env: { ...environment, CHECKPOINT_DISABLE: "1" },
      timeout: 30_000,
    }));
  } catch (cause) {
    throw Object.assign(
      new EngineMissingError(
        file,
        "install Terraform or OpenTofu, or set XCF_TOOL_TERRAFORM or XCF_TOOL_TOFU to its path; `xcf doctor` says how",
      ),
      { cause },
    );
  }
  const parsed = versionSchema.safeParse(safeJson(stdout));
  const [, major, minor] = /^(\d+)\.(\d+)\./.exec(parsed.data?.terraform_version ?? "") ?? [];
  if (parsed.data === undefined || major === undefined)
    throw new EngineVersionUnsuitableError(
      `"${file}" does not say its version as Terraform does`,
      "check what the program is",
    );
  const { terraform_version: version } = parsed.data;
  if (Number(major) < OLDEST.major || (Number(major) === OLDEST.major && Number(minor) < OLDEST.minor)) {
    throw new EngineVersionUnsuitableError(`${file} ${version} is too old`, "install version 1.4 or later");
  }
  const product = await productOf(file, environment);
  return { file, product, version: product === "opentofu" ? `opentofu ${version}` : version };
}

/** The JSON of both is the same; only the words before it differ. */
async function productOf(file: string, environment: Readonly<Record<string, string>>): Promise<TerraformProduct> {
  const { stdout } = await execute(file, ["version"], {
    env: { ...environment, CHECKPOINT_DISABLE: "1" },
    timeout: 30_000,
  });
  return stdout.startsWith("OpenTofu") ? "opentofu" : "terraform";
}

export interface TerraformCommand {
  readonly binary: TerraformBinary;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly actor?: EngineActor;
  /** Output is read and logged line by line as `-json` events. Without it nothing is logged. */
  readonly events: boolean;
}

export interface TerraformExit extends EngineExit {
  readonly diagnostics: readonly Diagnostic[];
  /** A resource was about to be changed: from here on effects are possible. */
  readonly began: boolean;
  /** Changes made outside were reported while planning. */
  readonly driftSeen: boolean;
}

/** Runs one terraform command of an attempt and passes its words on. */
export async function runTerraform(attempt: Attempt, command: TerraformCommand): Promise<TerraformExit> {
  const diagnostics: Diagnostic[] = [];
  const seen = { began: false, drift: false };
  const onLine = (line: string, stream: "stdout" | "stderr"): void => {
    const event = stream === "stdout" && line.startsWith("{") ? readEvent(line) : undefined;
    if (event === undefined) {
      if (line.trim() !== "") attempt.log(stream, line);
      return;
    }
    if (event.diagnostic !== undefined) {
      diagnostics.push(event.diagnostic);
      attempt.log(event.diagnostic.severity === "error" ? "stderr" : "stdout", describeDiagnostic(event.diagnostic));
      return;
    }
    if (event.type === "apply_start" && event.action !== "read") seen.began = true;
    if (event.type === "resource_drift") seen.drift = true;
    if (event.type === "version" || event.type === "refresh_complete") return;
    attempt.log("stdout", event.message);
    const action = progressOf(event);
    if (action !== undefined && event.address !== undefined) attempt.progress(event.address, action, event.message);
  };
  const exit = await attempt.run({
    file: command.binary.file,
    args: command.args,
    cwd: command.cwd,
    env: command.env,
    ...(command.actor === undefined ? {} : { actor: command.actor }),
    ...(command.events ? { onLine } : {}),
  });
  if (
    diagnostics.length === 0 &&
    exit.code !== 0 &&
    !(exit.code === 2 && command.args.includes("-detailed-exitcode"))
  ) {
    diagnostics.push(...parseHumanDiagnostics(`${exit.stderr()}\n${command.events ? exit.stdout() : ""}`));
  }
  return { ...exit, diagnostics, began: seen.began, driftSeen: seen.drift };
}

interface TerraformEvent {
  readonly type: string;
  readonly message: string;
  readonly address: string | undefined;
  readonly action: string | undefined;
  readonly diagnostic: Diagnostic | undefined;
}

const eventSchema = z.object({
  type: z.string().default("log"),
  "@message": z.string().default(""),
  hook: z.object({ resource: z.object({ addr: z.string() }).optional(), action: z.string().optional() }).optional(),
  change: z.object({ resource: z.object({ addr: z.string() }), action: z.string().optional() }).optional(),
  diagnostic: diagnosticSchema.optional(),
});

/** Terraform's "Machine-Readable UI" (one JSON object a line). */
function readEvent(line: string): TerraformEvent | undefined {
  const parsed = eventSchema.safeParse(safeJson(line));
  if (!parsed.success) return undefined;
  const { type, hook, change, diagnostic } = parsed.data;
  return {
    type,
    message: parsed.data["@message"],
    address: hook?.resource?.addr ?? change?.resource.addr,
    action: hook?.action ?? change?.action,
    diagnostic,
  };
}

const APPLYING: Readonly<Record<string, ProgressAction>> = {
  create: "creating",
  update: "updating",
  delete: "deleting",
  read: "refreshing",
};

function progressOf({ type, action }: TerraformEvent): ProgressAction | undefined {
  switch (type) {
    case "refresh_start":
      return "refreshing";
    case "planned_change":
      return "planning";
    case "apply_start":
    case "apply_progress":
      return APPLYING[action ?? ""] ?? "updating";
    case "apply_complete":
      return "done";
    case "apply_errored":
      return "errored";
    default:
      return undefined;
  }
}

function safeJson(text: string): unknown {
  try {
    const value = parseJson(text, "terraform");
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
