import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { callerOf } from "@xcloudflow/chassis/caller";
import { AuditService } from "@xcloudflow/proto/audit/v1/audit_pb";
import type { AuditContext } from "./audit-context.ts";
import { readFilter } from "./entry-filter.ts";
import { queryEntries } from "./entry-store.ts";
import { followLog, readLog } from "./follow-log.ts";
import { latestCheckpoint, proveConsistency, proveEntry } from "./log-proofs.ts";
import { verifyLog } from "./verify-log.ts";

const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 1_000;

/** `AuditService` over the functions of this workspace: nothing is decided here. */
export function auditRoutes(context: AuditContext): (router: ConnectRouter) => void {
  const implementation: ServiceImpl<typeof AuditService> = {
    async query(request, call) {
      const size = pageSize(request.page?.size ?? 0);
      const filter = readFilter({ ...request, token: request.page?.token ?? "" });
      const entries = await queryEntries(context, callerOf(call).tenant, filter, size + 1);
      const page = entries.slice(0, size);
      return { entries: [...page], nextToken: entries.length > size ? String(page.at(-1)?.index ?? "") : "" };
    },
    getCheckpoint: (_request, call) => latestCheckpoint(context, callerOf(call).tenant),
    async prove({ eventId, index }, call) {
      const by = eventId === "" ? { index } : { eventId };
      const { entry, hashes, checkpoint, verifierKey } = await proveEntry(context, callerOf(call).tenant, by);
      return { entry, hashes: [...hashes], checkpoint, verifierKey };
    },
    async proveConsistency({ firstSize, secondSize }, call) {
      return { hashes: [...(await proveConsistency(context, callerOf(call).tenant, firstSize, secondSize))] };
    },
    async *export(_request, call) {
      const { tenant } = callerOf(call);
      const { size, checkpoint, verifierKey } = await latestCheckpoint(context, tenant);
      for await (const entry of readLog(context, tenant, size)) yield { part: { case: "entry", value: entry } };
      yield { part: { case: "checkpoint", value: { checkpoint, verifierKey } } };
    },
    async verify(_request, call) {
      const { intact, size, findings } = await verifyLog(context, callerOf(call).tenant);
      return { intact, size: BigInt(size), findings: [...findings] };
    },
    async *subscribe({ fromIndex, type }, call) {
      for await (const entry of followLog(context, callerOf(call).tenant, fromIndex, type, call.signal))
        yield { entry };
    },
  };
  return (router) => void router.service(AuditService, implementation);
}

function pageSize(asked: number): number {
  return asked === 0 ? DEFAULT_PAGE : Math.min(asked, LARGEST_PAGE);
}
