import type { DescMethod } from "@bufbuild/protobuf";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { callerOf } from "@xcloudflow/chassis/caller";
import { checkEnvironment, environmentOf, visibleEnvironments } from "@xcloudflow/chassis/environment-permissions";
import { encodeDocument } from "@xcloudflow/model/parse-json";
import { type ArtefactHeader, StateService } from "@xcloudflow/proto/state/v1/state_pb";
import { deleteApplied, listApplied, putApplied } from "./applied-store.ts";
import { getArtefact, presentArtefacts, putArtefact } from "./artefact-store.ts";
import { claimsOf } from "./attempt.ts";
import { getChangeSet, putChangeSet } from "./change-set-store.ts";
import { listDrift, putDrift } from "./drift-store.ts";
import { breakLock } from "./engine-lock.ts";
import { pullState } from "./engine-state.ts";
import { listUnitStates, listUnitVersions, raiseUnitFence, receiveRecoveredState } from "./engine-state-requests.ts";
import { moveState } from "./move-store.ts";
import { putOutputs, resolveOutputs } from "./output-store.ts";
import type { StateContext } from "./state-context.ts";
import { actorOf } from "./state-events.ts";
import { splitUpload } from "./upload.ts";

const { method: METHOD } = StateService;

/** `StateService` over the functions of this workspace: nothing is decided here. */
export function stateRoutes(context: StateContext): (router: ConnectRouter) => void {
  const implementation: ServiceImpl<typeof StateService> = {
    async putArtefact(requests, call) {
      const { header, data } = await splitUpload<ArtefactHeader>(requests);
      const { id, size } = await putArtefact(context, whoOf(call), header, data);
      return { id, size: BigInt(size) };
    },
    async *getArtefact({ id }, call) {
      for await (const data of await getArtefact(context, callerOf(call).tenant, id)) yield { data };
    },
    async hasArtefacts({ ids }, call) {
      return { present: [...(await presentArtefacts(context, callerOf(call).tenant, ids))] };
    },
    async putChangeSet(request, call) {
      await putChangeSet(context, whoOf(call), request);
      return {};
    },
    getChangeSet: ({ id }, call) => getChangeSet(context, callerOf(call).tenant, id),
    async raiseFence({ unit, fence }, call) {
      return { fence: await raiseUnitFence(context, whoOf(call), unit, fence) };
    },
    async listApplied({ environment, units }, call) {
      return { pointerDocuments: [...(await listApplied(context, callerOf(call).tenant, environment, units))] };
    },
    async putApplied({ unit, fence, pointerDocument }, call) {
      await putApplied(context, { ...whoOf(call), unit, fence }, pointerDocument);
      return {};
    },
    async deleteApplied({ unit, fence }, call) {
      await deleteApplied(context, { ...whoOf(call), unit, fence });
      return {};
    },
    async resolveOutputs({ attemptToken, references }, call) {
      const claims = await claimsOf(context, callerOf(call), attemptToken);
      return { values: [...(await resolveOutputs(context, claims, references))] };
    },
    async putOutputs({ attemptToken, outputs }, call) {
      const claims = await claimsOf(context, callerOf(call), attemptToken);
      return { outputsDocument: encodeDocument(await putOutputs(context, claims, outputs)) };
    },
    async listStates({ environment }, call) {
      const isShown = listable(call, METHOD.listStates, environment);
      return { states: (await listUnitStates(context, callerOf(call).tenant, environment)).filter(isShown) };
    },
    async listStateVersions({ unit }, call) {
      checkUnit(call, METHOD.listStateVersions, unit);
      return { versions: await listUnitVersions(context, callerOf(call).tenant, unit) };
    },
    async *pullState({ unit, version }, call) {
      checkUnit(call, METHOD.pullState, unit);
      const { tenant, actor } = whoOf(call);
      const state = await pullState(context, { tenant, unit }, version, { actor });
      for await (const data of state.bytes) yield { data };
    },
    recoverState: (requests, call) => receiveRecoveredState(context, callerOf(call), requests),
    async moveState({ fromUnit, toUnit }, call) {
      await moveState(context, whoOf(call), fromUnit, toUnit);
      return {};
    },
    async forceUnlock({ unit, lockId }, call) {
      checkUnit(call, METHOD.forceUnlock, unit);
      const { tenant, actor } = whoOf(call);
      const broken = await breakLock(context, { tenant, unit }, actor, lockId === "" ? undefined : lockId);
      return { brokenLockInfo: broken?.info ?? "" };
    },
    async putDrift({ unit, run, changesDocument }, call) {
      await putDrift(context, whoOf(call), { unit, run, changes: changesDocument });
      return {};
    },
    async listDrift({ environment }, call) {
      const isShown = listable(call, METHOD.listDrift, environment);
      const records = await listDrift(context, callerOf(call).tenant, environment);
      return {
        records: records.filter(isShown).map(({ unit, run, detectedAt, changes }) => ({
          unit,
          run,
          detectedAt: detectedAt.toISOString(),
          changesDocument: changes,
        })),
      };
    },
    async redactionKey({ attemptToken }, call) {
      const { tenant } = await claimsOf(context, callerOf(call), attemptToken);
      return { key: await context.keyring.derive(tenant, "redaction") };
    },
  };
  return (router) => {
    router.service(StateService, implementation);
  };
}

type Call = Parameters<typeof callerOf>[0];

function checkUnit(call: Call, method: DescMethod, unit: string): void {
  checkEnvironment(callerOf(call), method, environmentOf(unit));
}

/** Which units a listing shows. @throws {PermissionMissingError} for an environment that is not open to the caller. */
function listable(call: Call, method: DescMethod, environment: string): (row: { readonly unit: string }) => boolean {
  if (environment !== "") checkEnvironment(callerOf(call), method, environment);
  const visible = environment === "" ? visibleEnvironments(callerOf(call), method) : undefined;
  return ({ unit }) => visible?.includes(environmentOf(unit)) ?? true;
}

function whoOf(call: Parameters<typeof callerOf>[0]): { readonly tenant: string; readonly actor: string } {
  const caller = callerOf(call);
  return { tenant: caller.tenant, actor: actorOf(caller) };
}
