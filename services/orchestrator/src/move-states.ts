import { as, serviceCaller } from "@xcloudflow/chassis/caller";
import type { ChangeSet } from "@xcloudflow/model/change-set";
import type { Change } from "./decision.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { draftEvent } from "./orchestrator-events.ts";
import type { RunRow } from "./rows.ts";
import { transact } from "./run-transaction.ts";

/** Gives units that were renamed their state and applied pointer under the new address. May be repeated. */
export async function moveStates(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  changeSet: ChangeSet,
): Promise<boolean> {
  const moves = changeSet.units.flatMap(({ address, movedFrom }) =>
    movedFrom === undefined ? [] : [{ address, movedFrom }],
  );
  for (const { address, movedFrom } of moves) {
    await context.state.moveState({ fromUnit: movedFrom, toUnit: address }, as(serviceCaller(tenant, "orchestrator")));
  }
  return transact(context, tenant, "record-moves", run, async (current, write, tx) => {
    const fences: Change[] = [];
    for (const { address, movedFrom } of moves) {
      // The state service moves the fence with the state; attempts go on counting from there.
      const value = Math.max((await tx.fence(address))?.value ?? 0, (await tx.fence(movedFrom))?.value ?? 0);
      fences.push({ put: "unitFence", row: { unit: address, value } });
    }
    await write([
      { put: "run", row: { ...current, phase: "executing" } },
      ...fences,
      ...moves.map(({ address, movedFrom }) =>
        draftEvent("step", "moved", address, `run:${run.id}`, { from: movedFrom }),
      ),
    ]);
    return [];
  });
}
