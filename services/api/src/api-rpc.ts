import type { CallOptions, ConnectRouter, HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { as, callerOf } from "@xcloudflow/chassis/caller";
import { ApiService as ApiDescriptor } from "@xcloudflow/proto/api/v1/api_pb";
import type { ApiContext } from "./api-context.ts";
import type { ApiService } from "./api-service.ts";
import type { StoredToken } from "./token-store.ts";

/** Registers the public edge on a router. */
export function apiRoutes(context: ApiContext, service: ApiService): (router: ConnectRouter) => void {
  return (router) => void router.service(ApiDescriptor, createApiRpc(context, service));
}

/** Thin: its own verbs ask the service, the others go on to the service they belong to, in the caller's name. */
export function createApiRpc(
  { clients, version, mode }: ApiContext,
  service: ApiService,
): ServiceImpl<typeof ApiDescriptor> {
  const { orchestrator, state, policy, audit } = clients;
  return {
    getServerInfo(_request, handler) {
      const { tenant, subject, groups, roles, bindings = [] } = callerOf(handler);
      return { version, mode, tenant, subject, groups, roles, bindings };
    },
    createToken: (request, handler) => service.createToken(callerOf(handler), request),
    async listTokens(_request, handler) {
      const tokens = await service.listTokens(callerOf(handler).tenant);
      return { tokens: tokens.map(viewToken) };
    },
    async revokeToken({ id }, handler) {
      await service.revokeToken(callerOf(handler), id);
      return {};
    },

    startRun: (request, handler) => orchestrator.startRun(request, onBehalf(handler)),
    getRun: (request, handler) => orchestrator.getRun(request, onBehalf(handler)),
    listRuns: (request, handler) => orchestrator.listRuns(request, onBehalf(handler)),
    watchRun: (request, handler) => orchestrator.watchRun(request, onBehalf(handler)),
    cancelRun: (request, handler) => orchestrator.cancelRun(request, onBehalf(handler)),
    retryRun: (request, handler) => orchestrator.retryRun(request, onBehalf(handler)),
    getChangeSet: (request, handler) => orchestrator.getChangeSet(request, onBehalf(handler)),
    listChangeSets: (request, handler) => orchestrator.listChangeSets(request, onBehalf(handler)),
    approve: (request, handler) => orchestrator.approve(request, onBehalf(handler)),
    reject: (request, handler) => orchestrator.reject(request, onBehalf(handler)),
    preview: (request, handler) => orchestrator.preview(request, onBehalf(handler)),
    why: (request, handler) => orchestrator.why(request, onBehalf(handler)),
    listLocks: (request, handler) => orchestrator.listLocks(request, onBehalf(handler)),
    unlock: (request, handler) => orchestrator.unlock(request, onBehalf(handler)),

    listStates: (request, handler) => state.listStates(request, onBehalf(handler)),
    listStateVersions: (request, handler) => state.listStateVersions(request, onBehalf(handler)),
    pullState: (request, handler) => state.pullState(request, onBehalf(handler)),
    forceUnlock: (request, handler) => state.forceUnlock(request, onBehalf(handler)),
    listDrift: (request, handler) => state.listDrift(request, onBehalf(handler)),

    evaluateFiles: (request, handler) => policy.evaluateFiles(request, onBehalf(handler)),

    queryAudit: (request, handler) => audit.query(request, onBehalf(handler)),
    proveAudit: (request, handler) => audit.prove(request, onBehalf(handler)),
    exportAudit: (request, handler) => audit.export(request, onBehalf(handler)),
    verifyAudit: (request, handler) => audit.verify(request, onBehalf(handler)),
  };
}

/** The caller's name, and an end when the caller leaves or runs out of time. */
function onBehalf(handler: HandlerContext): CallOptions {
  return { ...as(callerOf(handler)), signal: handler.signal };
}

function viewToken(token: StoredToken) {
  return {
    id: token.id,
    role: token.role,
    subject: token.subject,
    groups: [...token.groups],
    environments: [...token.environments],
    writeState: token.writeState,
    createdAt: token.createdAt.toISOString(),
    expiresAt: token.expiresAt.toISOString(),
    revokedAt: token.revokedAt?.toISOString() ?? "",
  };
}
