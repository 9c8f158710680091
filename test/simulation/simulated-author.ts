import { create } from "@bufbuild/protobuf";
import type { Caller } from "@xcloudflow/chassis/caller";
import { type Clock, pause } from "@xcloudflow/chassis/clock";
import type { Random } from "@xcloudflow/chassis/random";
import { PhaseRefusedError } from "@xcloudflow/orchestrator/approval-decision";
import type { OrchestratorContext } from "@xcloudflow/orchestrator/orchestrator-context";
import type { RunRow } from "@xcloudflow/orchestrator/rows";
import { startRun } from "@xcloudflow/orchestrator/start-run";
import { voteOn } from "@xcloudflow/orchestrator/vote";
import { StartRunRequestSchema } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";

const AUTHOR: Caller = {
  tenant: "default",
  subject: "author@example.com",
  groups: [],
  roles: ["admin", "approver"],
  assurance: "asserted",
};
const APPROVER: Caller = { ...AUTHOR, subject: "lead@example.com" };

/** People: one plans and applies, another approves. Whatever is not answered they do again, some of it twice at once. */
export interface SimulatedAuthor {
  readonly planRun: string | undefined;
  readonly applyRun: string | undefined;
  stop(): void;
}

export function startSimulatedAuthor(options: {
  readonly ask: <T>(call: (context: OrchestratorContext) => Promise<T>) => Promise<T>;
  readonly clock: Clock;
  readonly random: Random;
}): SimulatedAuthor {
  const { ask, clock, random } = options;
  const stopping = new AbortController();
  let planRun: string | undefined;
  let applyRun: string | undefined;

  async function insist<T>(call: (context: OrchestratorContext) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        if (random.float() < 0.2) void ask(call).catch(() => undefined);
        return await ask(call);
      } catch {
        await pause(clock, 100 + random.integer(3_000), stopping.signal);
      }
    }
  }

  const start = (request: { kind: string; repository?: string; changeSet?: string }): Promise<RunRow> =>
    insist((context) =>
      startRun(
        context,
        "default",
        AUTHOR,
        create(StartRunRequestSchema, { ...request, idempotencyKey: `the ${request.kind}` }),
      ),
    );
  const look = (id: string): Promise<RunRow | undefined> =>
    insist((context) => context.store.transact("default", "look", (tx) => tx.run(id)));

  async function changeOnce(): Promise<void> {
    planRun = (await start({ kind: "plan", repository: "/repository" })).id;
    let changeSet: string | null | undefined;
    while (changeSet == null) {
      await pause(clock, 200 + random.integer(1_000), stopping.signal);
      changeSet = (await look(planRun))?.changeSet;
    }
    applyRun = (await start({ kind: "apply", changeSet })).id;
    await pause(clock, random.integer(8_000), stopping.signal);
    const vote = { changeSet, digest: "", comment: "" };
    await insist((context) => voteOn(context, "default", APPROVER, "approve", vote).catch(refused));
  }

  /** A vote that is in already is refused once the change runs. */
  function refused(error: unknown): void {
    if (error instanceof PhaseRefusedError) return;
    throw error;
  }

  // What it waits for may never come: then the schedule is stopped, and this with it.
  changeOnce().catch(() => undefined);
  return {
    get planRun() {
      return planRun;
    },
    get applyRun() {
      return applyRun;
    },
    stop: () => stopping.abort(),
  };
}
