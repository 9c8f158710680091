import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import type { Outcome, TestRepository } from "./xcf-cli.ts";
import { expectCode } from "./xcf-documents.ts";

const run = promisify(execFile);

/** Terraform as a person uses it against the state of one unit, outside of XCloudFlow. */
export interface TerraformByHand {
  readonly folder: string;
  /** The state's address, and Basic credentials for it. */
  readonly address: string;
  readonly password: string;
  terraform(...words: string[]): Promise<Outcome>;
}

export interface RunningServer {
  readonly http: string;
  stop(): Promise<void>;
}

/** `xcf up` on free ports; in a mesh its edge, which is there already. */
export async function startUp(repository: TestRepository): Promise<RunningServer> {
  if (repository.tenant !== undefined) return { http: repository.tenant.url, stop: async () => undefined };
  const child = await repository.start(["up", "--grpc-port", "0", "--http-port", "0"]);
  const left = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let words = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (bytes: Buffer) => (words += bytes.toString()));
  const file = join(repository.folder, ".xcf", "server.json");
  for (;;) {
    const text = await readFile(file, "utf8").catch(() => "");
    const parsed = z
      .object({ http: z.string(), pid: z.number() })
      .safeParse(text === "" ? undefined : JSON.parse(text));
    if (parsed.success && parsed.data.pid === child.pid) {
      return {
        http: parsed.data.http,
        async stop() {
          child.kill("SIGTERM");
          await left;
        },
      };
    }
    if (child.exitCode !== null) throw new Error(`xcf up ended: ${words}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A folder with a module of `text` whose backend is the unit's state, with a token that may write it. */
export async function openByHand(
  repository: TestRepository,
  server: RunningServer,
  unit: string,
  text: string,
): Promise<TerraformByHand> {
  const { out } = expectCode(await repository.xcf(["token", "create", "--role", "operator", "--write-state"]), 0);
  const password =
    out
      .trim()
      .split(/\s+/)
      .find((word) => word.startsWith("xcf")) ?? out.trim();
  const folder = join(repository.folder, "..", `by-hand-${unit.replaceAll("/", "-")}`);
  await mkdir(folder, { recursive: true });
  const address = `${server.http}/terraform/${repository.tenant?.tenant ?? "default"}/${unit}`;
  await writeFile(
    join(folder, "main.tf"),
    `terraform {\n  backend "http" {\n    address = "${address}"\n    lock_address = "${address}"\n    unlock_address = "${address}"\n  }\n}\n${text}`,
  );
  return {
    folder,
    address,
    password,
    async terraform(...words) {
      try {
        const { stdout, stderr } = await run("terraform", words, {
          cwd: folder,
          env: {
            ...repository.environment(),
            TF_HTTP_USERNAME: "person",
            TF_HTTP_PASSWORD: password,
            TF_IN_AUTOMATION: "1",
          },
        });
        return { code: 0, out: stdout, err: stderr };
      } catch (error) {
        const failed = z.object({ code: z.number(), stdout: z.string(), stderr: z.string() }).parse(error);
        return { code: failed.code, out: failed.stdout, err: failed.stderr };
      }
    },
  };
}
