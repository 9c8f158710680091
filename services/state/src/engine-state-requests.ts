import type { Caller } from "@xcloudflow/chassis/caller";
import { appendEvents } from "@xcloudflow/database/outbox";
import { tenantScope } from "@xcloudflow/database/scope";
import { parseAddress } from "@xcloudflow/model/address";
import { claimsOf } from "./attempt.ts";
import { recoverState } from "./engine-state.ts";
import { listStates, listVersions, type StateVersionSummary } from "./engine-state-store.ts";
import { raiseFence } from "./fence-store.ts";
import { limited } from "./limited.ts";
import type { StateContext } from "./state-context.ts";
import { AttemptNotEntitledError } from "./state-errors.ts";
import { attemptActor, stateEvent } from "./state-events.ts";
import { splitUpload, type UploadMessage } from "./upload.ts";

export interface UnitState {
  readonly unit: string;
  readonly serial: bigint;
  readonly lineage: string;
  readonly version: bigint;
  readonly size: bigint;
  /** RFC 3339, empty without a current state. */
  readonly updatedAt: string;
  readonly lockInfo: string;
  readonly fence: bigint;
  readonly quarantined: number;
}

export async function listUnitStates(context: StateContext, tenant: string, environment: string): Promise<UnitState[]> {
  const states = await context.database.transaction(tenantScope("state", tenant, "list-states"), (tx) =>
    listStates(tx, environment),
  );
  return states.map((state) => ({ ...state, updatedAt: state.updatedAt?.toISOString() ?? "" }));
}

export async function listUnitVersions(
  context: StateContext,
  tenant: string,
  unit: string,
): Promise<(Omit<StateVersionSummary, "createdAt"> & { readonly createdAt: string })[]> {
  const versions = await context.database.transaction(tenantScope("state", tenant, "list-state-versions"), (tx) =>
    listVersions(tx, unit),
  );
  return versions.map((version) => ({ ...version, createdAt: version.createdAt.toISOString() }));
}

/** The fence in force afterwards. */
export async function raiseUnitFence(
  context: StateContext,
  { tenant, actor }: { readonly tenant: string; readonly actor: string },
  unit: string,
  fence: bigint,
): Promise<bigint> {
  parseAddress(unit);
  return await context.database.transaction(tenantScope("state", tenant, "raise-fence"), async (tx) => {
    const result = await raiseFence(tx, unit, fence);
    if (result.raised) {
      await appendEvents(tx, "state", [
        stateEvent(context, "fence.raised", { tenant, actor, subject: unit, data: { fence: Number(fence) } }),
      ]);
    }
    return result.fence;
  });
}

interface RecoveryHeader {
  readonly attemptToken: string;
  readonly unit: string;
  readonly deadFence: bigint;
}

/** @throws {AttemptNotEntitledError} when the token is another unit's, or a plan's: a plan writes no state. */
export async function receiveRecoveredState(
  context: StateContext,
  caller: Caller,
  messages: AsyncIterable<UploadMessage<RecoveryHeader>>,
): Promise<{ readonly current: boolean; readonly version: bigint }> {
  const { header, data } = await splitUpload(messages);
  const claims = await claimsOf(context, caller, header.attemptToken);
  if (claims.unit !== header.unit || claims.purpose !== "apply")
    throw new AttemptNotEntitledError(header.unit, "recover its state");
  const result = await recoverState(
    context,
    { tenant: claims.tenant, unit: claims.unit },
    {
      writer: { kind: "attempt", name: attemptActor(claims), fence: BigInt(claims.fence), expired: false },
      deadFence: header.deadFence,
      source: limited(data, context.maxUploadBytes),
    },
  );
  return { current: result.outcome !== "quarantined", version: result.version };
}
