import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createClients } from "@xcloudflow/chassis/clients";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createMeshTransport } from "@xcloudflow/chassis/mesh-transport";
import { readTlsFiles } from "@xcloudflow/chassis/tls-files";
import { CodedError } from "@xcloudflow/model/coded-error";
import { encodeDocument } from "@xcloudflow/model/parse-json";
import { asRunner } from "@xcloudflow/runner-host/worker-clients";
import { z } from "zod";
import type { TestMesh } from "../support/mesh.ts";
import type { EngineProcess } from "../support/owner-processes.ts";

/** What somebody has who took over a worker in the middle of an apply: its certificate, and all that its engine knows. */
export interface StaleAttempt {
  readonly unit: string;
  /** Tries everything an attempt may write or learn; answers how each was taken: an HTTP status or an error's code. */
  tryEverything(): Promise<Readonly<Record<string, string>>>;
}

const recordSchema = z.looseObject({ task: z.string(), attempt: z.number(), unit: z.string() });
const environmentSchema = z.object({ XCF_SCRATCH: z.string(), TF_HTTP_PASSWORD: z.string() });

/**
 * @param engine a terraform process of the worker, that applies.
 * @param secret a reference that the attempt's token names.
 */
export async function takeStaleAttempt(
  { mesh }: TestMesh,
  worker: { readonly name: string; readonly id: string },
  engine: EngineProcess,
  secret: string,
): Promise<StaleAttempt> {
  const pairs = readFileSync(`/proc/${engine.pid}/environ`, "utf8").split("\0");
  const environment = environmentSchema.parse(
    Object.fromEntries(pairs.map((pair) => [pair.split("=")[0] ?? "", pair.slice(pair.indexOf("=") + 1)])),
  );
  const { TF_HTTP_PASSWORD: attemptToken, XCF_SCRATCH: scratch } = environment;
  const { task, attempt, unit } = recordSchema.parse(JSON.parse(readFileSync(join(scratch, "attempt.json"), "utf8")));
  const clock = createSystemClock();
  const places = Object.fromEntries(
    ["orchestrator", "state", "secrets"].map((name) => [
      name,
      [`https://127.0.0.1:${mesh.ports.processes.get(`${name}-1`)?.mesh}`],
    ]),
  );
  const tls = await readTlsFiles({ ...mesh.folder.certificateOf(worker.name), ca: mesh.folder.caFile }, clock.now());
  const clients = asRunner(createClients(createMeshTransport({ places, tls, clock })), "runner:apply", "default");

  async function overHttp(method: string, query = "", body?: string): Promise<string> {
    const { status } = await fetch(`${mesh.urls[0]}/terraform/default/${unit}${query}`, {
      method,
      headers: { authorization: `Basic ${Buffer.from(`xcf:${attemptToken}`).toString("base64")}` },
      ...(body === undefined ? {} : { body }),
    });
    return String(status);
  }

  const lock = JSON.stringify({
    ID: "late",
    Operation: "late",
    Who: "late",
    Version: "",
    Created: "",
    Path: "",
    Info: "",
  });
  const state = JSON.stringify({ version: 4, serial: 99, lineage: "late", outputs: {}, resources: [] });
  const result = encodeDocument({ kind: "applied", outputs: {}, serial: 99, lineage: "late" });
  const output = { name: "late", sensitive: false, value: Buffer.from("1"), type: Buffer.from('"number"') };
  async function* recovered() {
    yield { part: { case: "header" as const, value: { attemptToken, unit, deadFence: BigInt(attempt) } } };
    yield { part: { case: "data" as const, value: Buffer.from(state) } };
  }
  return {
    unit,
    async tryEverything() {
      const { orchestrator, secrets } = clients;
      return {
        lock: await overHttp("LOCK", "", lock),
        write: await overHttp("POST", "?ID=late", state),
        "write without a lock": await overHttp("POST", "", state),
        unlock: await overHttp("UNLOCK", "", lock),
        "forced unlock": await overHttp("UNLOCK"),
        outputs: await codeOf(() => clients.state.putOutputs({ attemptToken, outputs: [output] })),
        recovery: await codeOf(async () => {
          const { current } = await clients.state.recoverState(recovered());
          throw new CodedError(current ? "current" : "quarantined", "stale", { what: "what became of it" });
        }),
        secret: await codeOf(() => secrets.resolve({ attemptToken, references: [secret] })),
        report: await codeOf(() =>
          orchestrator.reportTask({ worker: worker.id, task, attempt: BigInt(attempt), resultDocument: result }),
        ),
        heartbeat: await codeOf(async () => {
          const { verdicts } = await orchestrator.heartbeat({
            worker: worker.id,
            attempts: [{ task, attempt: BigInt(attempt) }],
          });
          throw new CodedError(String(verdicts[0]?.verdict), "stale", { what: "the verdict" });
        }),
      };
    },
  };
}

async function codeOf(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
    return "accepted";
  } catch (error) {
    if (error instanceof CodedError) return error.code;
    throw error;
  }
}
