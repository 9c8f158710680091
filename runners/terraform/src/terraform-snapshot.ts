import type { Attempt } from "@xcloudflow/runner-host/attempt";
import { EngineFailedError } from "@xcloudflow/runner-host/engine-errors";
import { pushState } from "./state-http-client.ts";
import { installUnit, readInstalledState, stateText } from "./terraform-backend.ts";
import { isManaged, type TerraformContext } from "./terraform-context.ts";
import { readState } from "./terraform-state.ts";
import type { TerraformUnit } from "./terraform-unit.ts";

/** Keeps the state as it is: the record of what exists, not what exists. */
export async function takeSnapshot(context: TerraformContext, attempt: Attempt, unit: TerraformUnit): Promise<string> {
  if (!isManaged(unit)) await installUnit(context, attempt, unit);
  return attempt.artefacts.put("backup", Buffer.from(await stateText(context, attempt, unit)));
}

/**
 * Makes the state of a snapshot the current one again, under the next serial.
 *
 * @throws {EngineFailedError} SNAPSHOT_FOREIGN when it is of another lineage, SNAPSHOT_UNSUPPORTED for a backend of the module's own.
 */
export async function restoreState(
  context: TerraformContext,
  attempt: Attempt,
  unit: TerraformUnit,
  lockId: string,
): Promise<string> {
  const id = attempt.spec.plan?.artefact;
  if (id === undefined)
    throw refused("SNAPSHOT_MISSING", "the task names no snapshot", "name one that `snapshot` answered");
  if (!isManaged(unit))
    throw refused(
      "SNAPSHOT_UNSUPPORTED",
      "the state is in the module's own backend",
      "restore it with that backend's own versions",
    );
  const kept = readState(Buffer.from(await attempt.artefacts.get(id)).toString("utf8"));
  if (kept === undefined || kept.lineage === "")
    throw refused("SNAPSHOT_INVALID", "the snapshot is no state of version 4", "choose another snapshot");
  const current = await readInstalledState(context, attempt, unit);
  if (current.lineage !== "" && current.lineage !== kept.lineage) {
    throw refused(
      "SNAPSHOT_FOREIGN",
      `the snapshot is of lineage ${kept.lineage}, the state is of ${current.lineage}`,
      "choose a snapshot of this unit",
    );
  }
  const next = { ...kept.document, serial: Math.max(current.serial, kept.serial) + 1 };
  await pushState(
    attempt.stateBackend,
    JSON.stringify(next),
    { id: lockId, created: context.clock.now().toISOString() },
    attempt.signal,
  );
  return id;
}

function refused(code: string, what: string, hint: string): EngineFailedError {
  return new EngineFailedError(code, "invalid", { what, hint, effects: "none" });
}
