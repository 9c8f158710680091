import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "@xcloudflow/chassis/clock";
import { decodeDocument, parseJson } from "@xcloudflow/model/parse-json";
import { SecretText } from "@xcloudflow/model/secret-text";
import type { TaskSpec } from "@xcloudflow/model/task-spec";
import { type UnitOutput, unitOutputSchema } from "@xcloudflow/model/unit-plan";
import { z } from "zod";
import { type ArchiveCache, getArtefact, putArtefact } from "./artefact-transfer.ts";
import type { Attempt, LogStream, ProgressAction } from "./attempt.ts";
import type { EngineOutput } from "./engine.ts";
import { AttemptLostError } from "./engine-errors.ts";
import { type EngineCommand, type EngineExit, runEngineProcess, type StopTimes } from "./engine-process-cli.ts";
import type { EngineSpawner } from "./engine-spawner-cli.ts";
import { traceEngine } from "./engine-tracing.ts";
import { insist, PATIENCE_MS } from "./insist.ts";
import type { ConfinedAttempt } from "./isolation.ts";
import { unpackArchive } from "./module-archive.ts";
import { SCRATCH_VARIABLE } from "./process-table-cli.ts";
import { resolveReferences } from "./resolve-references.ts";
import type { ScratchDirectory } from "./scratch-directory.ts";
import { createSecretRedactor } from "./secret-redactor.ts";
import { createValueRedactor, type ValueRedactor } from "./value-redactor.ts";
import type { WorkerClients } from "./worker-clients.ts";

export interface AttemptOptions {
  readonly spec: TaskSpec;
  readonly number: number;
  readonly clock: Clock;
  readonly attemptToken: string;
  readonly clients: WorkerClients;
  readonly archives: ArchiveCache;
  readonly scratch: ScratchDirectory;
  readonly signal: AbortSignal;
  readonly stateHttpAddress: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly stopTimes: (reason: unknown) => StopTimes;
  readonly spawner: EngineSpawner;
  readonly confined: ConfinedAttempt | undefined;
  /** Redaction keys are the tenant's and never change: asked for once a worker. */
  readonly redactionKeys: Map<string, Promise<Uint8Array>>;
  readonly onLog: (stream: LogStream, text: string) => void;
  readonly onProgress: (resource: string, action: ProgressAction, message: string) => void;
}

const outputsSchema: z.ZodType<Record<string, UnitOutput>> = z.record(z.string(), unitOutputSchema);
const MODULE_FOLDER = "module";

/** The one object an engine works with; everything behind it is asked for when it is first needed. */
export function createAttempt(options: AttemptOptions): Attempt {
  const { spec, clients, attemptToken, signal, scratch } = options;
  const patiently = <T>(ask: () => Promise<T>): Promise<T> =>
    insist({ clock: options.clock, signal, patience: PATIENCE_MS }, ask);
  const secrets = createSecretRedactor();
  secrets.add(new SecretText(attemptToken));
  const unpackModule = once(unpack);
  const requestKey = randomBytes(32).toString("hex");
  const resolve = once(() =>
    patiently(() => resolveReferences(spec, attemptToken, clients, secrets, signal, requestKey)),
  );
  const redactor = once(makeRedactor);

  async function unpack(): Promise<string> {
    const folder = join(scratch.path, MODULE_FOLDER);
    const archive = await patiently(() => options.archives.get(spec.module.archive, signal));
    mkdirSync(folder, { mode: 0o700 });
    unpackArchive(archive, folder);
    return folder;
  }

  async function makeRedactor(): Promise<ValueRedactor> {
    const key =
      options.redactionKeys.get(spec.tenant) ??
      patiently(() => clients.state.redactionKey({ attemptToken })).then((answer) => answer.key);
    options.redactionKeys.set(spec.tenant, key);
    try {
      return createValueRedactor(await key, secrets);
    } catch (error) {
      options.redactionKeys.delete(spec.tenant);
      throw error;
    }
  }

  return {
    spec,
    number: options.number,
    scratch: scratch.path,
    signal,
    stateBackend: {
      address: `${options.stateHttpAddress.replace(/\/$/, "")}/terraform/${spec.tenant}/${spec.stateAddress ?? spec.address}`,
      username: "xcf",
      password: new SecretText(attemptToken),
    },
    artefacts: {
      get: (id) => patiently(() => getArtefact(clients.state, id, signal)),
      put: (kind, bytes) => patiently(() => putArtefact(clients.state, kind, spec.address, bytes, signal)),
    },
    log: (stream, text) => options.onLog(stream, secrets.text(text)),
    progress: (resource, action, message = "") =>
      options.onProgress(secrets.text(resource), action, secrets.text(message)),
    unpackModule,
    resolve,
    redactor,
    redactText: (text) => secrets.text(text),
    async keepOutputs(outputs) {
      const values = await redactor();
      const marked = outputs.map((output) => (output.sensitive ? output : markSecret(output, values)));
      const request = { attemptToken, outputs: marked.map(encodeOutput) };
      const answer = await patiently(() => clients.state.putOutputs(request, { signal }));
      return decodeDocument(outputsSchema, answer.outputsDocument, `outputs of ${spec.address}`);
    },
    run(command: EngineCommand): Promise<EngineExit> {
      return traceEngine(spec.engine, command, (traced) =>
        runEngineProcess(command, {
          spawner: options.spawner,
          ...(options.confined === undefined ? {} : { confined: options.confined }),
          outputFolder: scratch.path,
          signal,
          environment: { ...options.environment, ...traced, [SCRATCH_VARIABLE]: scratch.path },
          mustKill: (reason) => reason instanceof AttemptLostError,
          stopTimes: options.stopTimes,
          onStart: (pid) => scratch.recordEngine(pid),
        }),
      );
    },
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** An output that carries a known secret is sensitive, whatever the module says about it. */
function markSecret(output: EngineOutput, redactor: ValueRedactor): EngineOutput {
  return redactor.holdsSecret(parseJson(output.json, output.name)) ? { ...output, sensitive: true } : output;
}

function encodeOutput({ name, sensitive, json, type }: EngineOutput) {
  return { name, sensitive, value: Buffer.from(json), type: Buffer.from(type) };
}
