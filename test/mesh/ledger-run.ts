import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { Run } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import type { TestMesh } from "../support/mesh.ts";

const LOOK_MS = 100;
const LONGEST_MS = 300_000;

/** A run as somebody outside sees it move. */
export interface WatchedRun {
  readonly id: string;
  /** When something of it was seen to change, by `performance.now()`; `unit` is empty for the run itself. */
  readonly moves: readonly { readonly at: number; readonly unit: string }[];
  readonly isOver: boolean;
  /** As it was seen last. */
  readonly seen: Run | undefined;
  readonly ended: Promise<Run>;
}

type StartRequest = Parameters<TestMesh["api"]["client"]["startRun"]>[0];

/** Starts a run, whoever has to be asked how often, and looks at it until it has ended. */
export async function startWatchedRun({ api, call }: TestMesh, request: StartRequest): Promise<WatchedRun> {
  const started = await api.client.startRun({ ...request, idempotencyKey: randomUUID() }, call);
  const id = started.run?.id ?? "";
  const moves: { at: number; unit: string }[] = [];
  let seen: Run | undefined;
  let isOver = false;
  async function watch(): Promise<Run> {
    const deadline = performance.now() + LONGEST_MS;
    const shapes = new Map<string, string>();
    for (;;) {
      const { run } = await api.client.getRun({ id }, call);
      assert.ok(run !== undefined, id);
      seen = run;
      for (const [unit, shape] of shapesOf(run)) {
        if (shapes.get(unit) !== shape) moves.push({ at: performance.now(), unit });
        shapes.set(unit, shape);
      }
      if (run.endedAt !== "") return run;
      assert.ok(performance.now() < deadline, `${id} does not end: ${describeRun(run)}`);
      await pause(LOOK_MS);
    }
  }
  const ended = watch().finally(() => {
    isOver = true;
  });
  ended.catch(() => undefined);
  return {
    id,
    moves,
    get isOver() {
      return isOver;
    },
    get seen() {
      return seen;
    },
    ended,
  };
}

/** Plans everything that changes; answers the ChangeSet. */
export async function planAll(mesh: TestMesh): Promise<WatchedRun> {
  return startWatchedRun(mesh, { kind: "plan", repository: mesh.repository, environment: "dev" });
}

function shapesOf({ status, steps }: Run): [string, string][] {
  return [
    ["", status],
    ...steps.map((step): [string, string] => [step.unit, `${step.status} ${step.stage} ${step.attempts}`]),
  ];
}

/** For failures: how the run stands, the steps that did not succeed in full. */
export function describeRun({ id, status, waitingFor, failure, steps }: Run): string {
  const odd = steps
    .filter((step) => step.status !== "succeeded")
    .map((step) => `  ${step.unit} ${step.status} ${step.stage}, ${step.attempts} attempts: ${step.reason}`);
  const why = failure === undefined ? "" : ` ${failure.code} ${failure.where}: ${failure.what} (${failure.hint})`;
  return [`${id} ${status} ${waitingFor}${why}`, ...odd].join("\n");
}
