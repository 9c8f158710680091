import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Code, ConnectError, type ConnectRouter, createClient, createRouterTransport } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { decodeDocument, encodeDocument, parseJson } from "@xcloudflow/model/parse-json";
import { redactionHmac } from "@xcloudflow/model/redaction-hmac";
import { type TaskResult, taskResultSchema } from "@xcloudflow/model/task-result";
import type { TaskSpec } from "@xcloudflow/model/task-spec";
import type { UnitOutput } from "@xcloudflow/model/unit-plan";
import { OrchestratorService } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { SecretsService } from "@xcloudflow/proto/secrets/v1/secrets_pb";
import { StateService } from "@xcloudflow/proto/state/v1/state_pb";
import type { WorkerClients } from "@xcloudflow/runner-host/worker-clients";

/**
 * What a worker needs of a control plane, in memory: enough of the three services and of the HTTP state backend to run
 * real engines against, with every fault a test wants to cause at hand. It decides nothing and forgets everything.
 */
export interface TestControlPlane extends WorkerClients {
  readonly address: string;
  /** The same services over Connect, for a worker in a process of its own. */
  readonly rpcAddress: string;
  readonly logs: { task: string; stream: string; text: string }[];
  readonly progress: { task: string; resource: string; action: string }[];
  readonly states: Map<string, string>;
  readonly locks: Map<string, string>;
  readonly recovered: { unit: string; deadFence: number; text: string }[];
  readonly requests: string[];
  readonly secretValues: Map<string, string>;
  readonly outputValues: Map<string, string>;
  readonly artefacts: Map<string, Uint8Array>;
  /** Refuse writes of state for good, so that terraform has to keep it. */
  refuseWrites: boolean;
  /** Refuse to give locks of state back, for good. */
  refuseUnlocks: boolean;
  leaseMilliseconds: number;
  /** Queues a task and answers its result when it is reported. */
  run(spec: TaskSpec, options?: { task?: string; attempt?: number; unknownAttempts?: number[] }): Promise<TaskResult>;
  /** Resolves when a log line of the task matches. */
  logged(task: string, pattern: RegExp): Promise<void>;
  /** Resolves at the next request to the state backend. */
  requested(): Promise<void>;
  cancel(task: string): void;
  lose(task: string): void;
  close(): Promise<void>;
}

interface Queued {
  readonly task: string;
  readonly spec: TaskSpec;
  readonly attempt: number;
  readonly unknownAttempts: number[];
}

const KEY = Buffer.alloc(32, 7);
export const hmacOf = (value: unknown): string => redactionHmac(KEY, value);

export async function createTestControlPlane(): Promise<TestControlPlane> {
  const queue: Queued[] = [];
  const claims: (() => void)[] = [];
  const results = new Map<string, (result: TaskResult) => void>();
  const verdicts = new Map<string, string>();
  const watchers = new Set<() => void>();
  let sequence = 0;

  const plane = {
    logs: [] as { task: string; stream: string; text: string }[],
    progress: [] as { task: string; resource: string; action: string }[],
    states: new Map<string, string>(),
    locks: new Map<string, string>(),
    recovered: [] as { unit: string; deadFence: number; text: string }[],
    requests: [] as string[],
    secretValues: new Map<string, string>(),
    outputValues: new Map<string, string>(),
    artefacts: new Map<string, Uint8Array>(),
    refuseWrites: false,
    refuseUnlocks: false,
    leaseMilliseconds: 30_000,
  };

  function addLines(task: string, lines: readonly { stream: string; text: string }[]): void {
    for (const { stream, text } of lines) plane.logs.push({ task, stream, text });
    for (const watcher of watchers) watcher();
  }

  const routes = (router: ConnectRouter): void => {
    router.service(OrchestratorService, {
      async claimTask({ waitSeconds }, { signal }) {
        if (queue.length === 0) {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, waitSeconds * 1000);
            const wake = (): void => {
              clearTimeout(timer);
              resolve();
            };
            claims.push(wake);
            signal.addEventListener("abort", wake);
          });
        }
        if (signal.aborted) return {};
        const next = queue.shift();
        if (next === undefined) return {};
        const { task, spec, attempt, unknownAttempts } = next;
        return {
          assignment: {
            task,
            run: "run_1",
            unit: spec.address,
            attempt: BigInt(attempt),
            specDocument: encodeDocument(spec),
            attemptToken: `token-of-${task}-${attempt}`,
            leaseExpiresAt: new Date(Date.now() + plane.leaseMilliseconds).toISOString(),
            unknownAttempts: unknownAttempts.map(BigInt),
          },
        };
      },
      heartbeat({ attempts }) {
        for (const { task, lines, progress } of attempts) {
          addLines(task, lines);
          for (const { resource, action } of progress) plane.progress.push({ task, resource, action });
        }
        return {
          verdicts: attempts.map(({ task }) => ({
            task,
            verdict: verdicts.get(task) ?? "renewed",
            leaseExpiresAt: new Date(Date.now() + plane.leaseMilliseconds).toISOString(),
          })),
        };
      },
      reportTask({ task, lines, resultDocument }) {
        addLines(task, lines);
        results.get(task)?.(decodeDocument(taskResultSchema, resultDocument, "result"));
        return {};
      },
    });
    router.service(StateService, {
      async putArtefact(parts) {
        const chunks: Uint8Array[] = [];
        for await (const { part } of parts) if (part.case === "data") chunks.push(part.value);
        const id = putBytes(Buffer.concat(chunks));
        return { id };
      },
      async *getArtefact({ id }) {
        const bytes = plane.artefacts.get(id);
        if (bytes === undefined) throw new ConnectError("no such artefact", Code.NotFound);
        for (let at = 0; at < bytes.length; at += 65_536) yield { data: bytes.subarray(at, at + 65_536) };
      },
      resolveOutputs: ({ references }) => ({
        values: references.map(({ unit, output }) =>
          Buffer.from(plane.outputValues.get(`${unit} ${output}`) ?? "null"),
        ),
      }),
      putOutputs({ outputs }) {
        const document: Record<string, UnitOutput> = {};
        for (const { name, sensitive, value, type } of outputs) {
          const json = parseJson(Buffer.from(value).toString(), name);
          const typed = type.length === 0 ? {} : { type: parseJson(Buffer.from(type).toString(), name) };
          document[name] = sensitive
            ? { unknown: false, sensitive, hmac: hmacOf(json), ...typed }
            : { unknown: false, sensitive, value: json, ...typed };
        }
        return { outputsDocument: encodeDocument(document) };
      },
      async recoverState(parts) {
        const chunks: Uint8Array[] = [];
        let unit = "";
        let deadFence = 0;
        for await (const { part } of parts) {
          if (part.case === "data") chunks.push(part.value);
          if (part.case === "header")
            ({ unit, deadFence } = { unit: part.value.unit, deadFence: Number(part.value.deadFence) });
        }
        const text = Buffer.concat(chunks).toString();
        plane.recovered.push({ unit, deadFence, text });
        plane.states.set(unit, text);
        return { current: true, version: 1n };
      },
      redactionKey: () => ({ key: KEY }),
    });
    router.service(SecretsService, {
      resolve: ({ references }) => ({
        values: references.map((reference) => Buffer.from(plane.secretValues.get(reference) ?? "")),
      }),
    });
  };
  const transport = createRouterTransport(routes);
  const rpcServer = createServer(connectNodeAdapter({ routes }));
  await new Promise<void>((resolve) => rpcServer.listen(0, "127.0.0.1", resolve));

  function putBytes(bytes: Uint8Array): string {
    const id = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    plane.artefacts.set(id, bytes);
    return id;
  }

  const server = await serveStates(plane);
  const port = (server.address() as AddressInfo).port;
  return Object.assign(plane, {
    orchestrator: createClient(OrchestratorService, transport),
    state: createClient(StateService, transport),
    secrets: createClient(SecretsService, transport),
    address: `http://127.0.0.1:${port}`,
    rpcAddress: `http://127.0.0.1:${(rpcServer.address() as AddressInfo).port}`,
    run(
      spec: TaskSpec,
      options: { task?: string; attempt?: number; unknownAttempts?: number[] } = {},
    ): Promise<TaskResult> {
      sequence += 1;
      const task = options.task ?? `task_${sequence}`;
      const { promise, resolve } = Promise.withResolvers<TaskResult>();
      results.set(task, resolve);
      queue.push({ task, spec, attempt: options.attempt ?? sequence, unknownAttempts: options.unknownAttempts ?? [] });
      claims.shift()?.();
      return promise;
    },
    logged(task: string, pattern: RegExp): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      const check = (): void => {
        if (!plane.logs.some((line) => line.task === task && pattern.test(line.text))) return;
        watchers.delete(check);
        resolve();
      };
      watchers.add(check);
      check();
      return promise;
    },
    requested: async () => void (await once(server, "request")),
    cancel: (task: string) => void verdicts.set(task, "cancel"),
    lose: (task: string) => void verdicts.set(task, "lost"),
    close: () =>
      new Promise<void>((resolve) => {
        rpcServer.closeAllConnections();
        rpcServer.close();
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  });
}

interface States {
  readonly states: Map<string, string>;
  readonly locks: Map<string, string>;
  readonly requests: string[];
  readonly refuseWrites: boolean;
  readonly refuseUnlocks: boolean;
}

/** Terraform's HTTP backend, with the checks of lock id only. */
function serveStates(plane: States): Promise<Server> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      const url = new URL(request.url ?? "/", "http://x");
      const unit = url.pathname.split("/").slice(3).join("/");
      const answer = (status: number, text = ""): void => {
        response.writeHead(status);
        response.end(text);
      };
      plane.requests.push(`${request.method} ${unit}`);
      if (!(request.headers.authorization ?? "").startsWith("Basic ")) return answer(401);
      const held = plane.locks.get(unit);
      switch (request.method) {
        case "GET":
          return plane.states.has(unit) ? answer(200, plane.states.get(unit)) : answer(404);
        case "LOCK":
          if (held !== undefined) return answer(423, held);
          plane.locks.set(unit, body);
          return answer(200);
        case "UNLOCK":
          if (plane.refuseUnlocks) return answer(403);
          plane.locks.delete(unit);
          return answer(200);
        case "POST":
          if (plane.refuseWrites) return answer(403);
          if (held !== undefined && (JSON.parse(held) as { ID: string }).ID !== url.searchParams.get("ID"))
            return answer(409, held);
          plane.states.set(unit, body);
          return answer(200);
        default:
          return answer(405);
      }
    });
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}
