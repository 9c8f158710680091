import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { as, callerOf, EVERY_TENANT } from "@xcloudflow/chassis/caller";
import { checkEnvironment, environmentOf } from "@xcloudflow/chassis/environment-permissions";
import { CodedError } from "@xcloudflow/model/coded-error";
import { decodeDocument } from "@xcloudflow/model/parse-json";
import { type TaskResult, taskResultSchema } from "@xcloudflow/model/task-result";
import {
  ListChangeSetsResponse_SummarySchema,
  OrchestratorService,
} from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { cancelRunById } from "./cancel-run.ts";
import { viewChangeSet } from "./change-set-view.ts";
import { isTaskOpen, waitForTask } from "./claim-task.ts";
import { guardChangeSet, guardRun, guardStart, listable } from "./environment-guard.ts";
import { findChangeSetRow } from "./find-change-set.ts";
import { governingCommits } from "./governing-commits.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { acceptHeartbeat, acceptReport, acceptUnreadableReport } from "./report-task.ts";
import { retryRun } from "./retry-run.ts";
import type { RunRow } from "./rows.ts";
import { viewRun } from "./run-view.ts";
import { startRun } from "./start-run.ts";
import { unlock } from "./unlock.ts";
import { voteOn } from "./vote.ts";
import { RunNotFoundError, watchRun } from "./watch-run.ts";
import { explainUnit } from "./why.ts";

const PAGE = 100;
const { method: METHOD } = OrchestratorService;

/** Thin: reads the request, asks, shapes the answer. */
export function createOrchestratorRpc(context: OrchestratorContext): ServiceImpl<typeof OrchestratorService> {
  const whole = async (tenant: string, run: RunRow) =>
    viewRun(run, await context.store.transact(tenant, "read-steps", (tx) => tx.stepSummaries(run.id)));
  return {
    async startRun(request, handler) {
      const caller = callerOf(handler);
      await guardStart(context, caller, request);
      const run = await startRun(context, caller.tenant, caller, request);
      // The run of an earlier call with the same key may be one of another environment.
      checkEnvironment(caller, METHOD.startRun, run.environment);
      return { run: viewRun(run) };
    },
    async getRun({ id }, handler) {
      const caller = callerOf(handler);
      const { tenant } = caller;
      const run = await context.store.transact(tenant, "read-run", (tx) => tx.run(id));
      if (run === undefined) throw new RunNotFoundError(id);
      checkEnvironment(caller, METHOD.getRun, run.environment);
      return { run: await whole(tenant, run) };
    },
    async listRuns({ environment, active, page }, handler) {
      const caller = callerOf(handler);
      const { tenant } = caller;
      const limit = pageSize(page?.size);
      const query = {
        limit: limit + 1,
        active,
        ...listable(caller, METHOD.listRuns, environment),
        ...given("before", page?.token ?? ""),
      };
      const rows = await context.store.transact(tenant, "list-runs", (tx) => tx.runs(query));
      return {
        runs: rows.slice(0, limit).map((run) => viewRun(run)),
        nextToken: rows.length > limit ? (rows[limit - 1]?.id ?? "") : "",
      };
    },
    async *watchRun({ id, afterSequence, logs }, handler) {
      const caller = callerOf(handler);
      await guardRun(context, caller, METHOD.watchRun, id);
      yield* watchRun(context, caller.tenant, id, Number(afterSequence), logs, handler.signal);
    },
    async cancelRun({ id, reason }, handler) {
      const caller = callerOf(handler);
      await guardRun(context, caller, METHOD.cancelRun, id);
      return { run: viewRun(await cancelRunById(context, caller.tenant, caller, id, reason)) };
    },
    async retryRun({ id }, handler) {
      const caller = callerOf(handler);
      await guardRun(context, caller, METHOD.retryRun, id);
      return { run: viewRun(await retryRun(context, caller.tenant, caller, id)) };
    },
    async getChangeSet({ id }, handler) {
      const caller = callerOf(handler);
      const row = await findChangeSetRow(context, caller, id);
      checkEnvironment(caller, METHOD.getChangeSet, row.environment);
      return { changeSet: await viewChangeSet(context, caller.tenant, row) };
    },
    async listChangeSets({ environment, phase, page }, handler) {
      const caller = callerOf(handler);
      const { tenant } = caller;
      const limit = pageSize(page?.size);
      const query = {
        limit: limit + 1,
        ...listable(caller, METHOD.listChangeSets, environment),
        ...given("phase", phase),
        ...given("before", page?.token ?? ""),
      };
      const rows = await context.store.transact(tenant, "list-change-sets", (tx) => tx.changeSets(query));
      return {
        changeSets: rows
          .slice(0, limit)
          .map(({ id, environment: name, phase: at, commit, author, createdAt, digest }) =>
            create(ListChangeSetsResponse_SummarySchema, {
              id,
              environment: name,
              phase: at,
              commit,
              author,
              createdAt,
              digest,
            }),
          ),
        nextToken: rows.length > limit ? (rows[limit - 1]?.id ?? "") : "",
      };
    },
    async approve(request, handler) {
      return { changeSet: await vote(context, handler, "approve", request) };
    },
    async reject(request, handler) {
      return { changeSet: await vote(context, handler, "reject", request) };
    },
    async preview(request, handler) {
      const caller = callerOf(handler);
      checkEnvironment(caller, METHOD.preview, request.environment);
      const rows = await context.store.transact(caller.tenant, "read-governance", (tx) =>
        tx.governance(request.repository),
      );
      const { latest, byEnvironment } = governingCommits(rows);
      const { compilationDocument } = await context.planner.compile(
        { ...previewOf(request), governanceCommit: latest, governanceCommits: byEnvironment },
        as({ ...caller, roles: ["service"] }),
      );
      return { compilationDocument };
    },
    async why({ unit }, handler) {
      const caller = callerOf(handler);
      checkEnvironment(caller, METHOD.why, environmentOf(unit));
      const { tenant } = caller;
      return context.store.transact(tenant, "explain-unit", async (tx) => {
        const steps = [];
        for (const step of await tx.stepsOfUnit(unit, 20)) {
          const run = await tx.run(step.run);
          if (run !== undefined) steps.push({ step, run });
        }
        const environment = environmentOf(unit);
        const locks = (await tx.locks()).filter(
          (lock) => lock.name === unit || (lock.kind === "tier" && environmentOf(lock.name) === environment),
        );
        const changeSets = new Set(steps.map(({ run }) => run.changeSet));
        const waiting = (await tx.runs({ active: true, limit: 1000 })).filter(
          (run) => run.status === "waiting" && run.phase === "checking" && changeSets.has(run.changeSet),
        );
        return { reasons: explainUnit(steps, await tx.attempts(unit, 20), locks, waiting) };
      });
    },
    async listLocks({ environment }, handler) {
      const caller = callerOf(handler);
      const { environments } = listable(caller, METHOD.listLocks, environment);
      const locks = await context.store.transact(caller.tenant, "list-locks", (tx) => tx.locks());
      return { locks: locks.filter(({ name }) => environments?.includes(environmentOf(name)) ?? true) };
    },
    async unlock({ kind, name, reason }, handler) {
      const caller = callerOf(handler);
      checkEnvironment(caller, METHOD.unlock, environmentOf(name));
      return { released: await unlock(context, caller.tenant, caller, kind, name, reason) };
    },
    async claimTask({ worker, engines, pool, waitSeconds, promptedTask }, handler) {
      // A runner of the mesh's own serves every tenant; what it then says of an attempt it says as that attempt's tenant.
      const { tenant, roles } = callerOf(handler);
      if (tenant === EVERY_TENANT && !roles.includes("runner"))
        throw new ConnectError("only a runner serves every tenant", Code.PermissionDenied);
      const assignment = await waitForTask(
        context,
        tenant,
        { worker, engines, pool, waitMilliseconds: waitSeconds * 1_000 },
        handler.signal,
      );
      if (assignment !== undefined) return { assignment };
      return { promptedTaskOpen: promptedTask !== "" && (await isTaskOpen(context, tenant, promptedTask)) };
    },
    async heartbeat({ worker, attempts }, handler) {
      const { tenant } = callerOf(handler);
      const verdicts = [];
      for (const { task, attempt, lines, progress } of attempts) {
        verdicts.push({
          task,
          ...(await acceptHeartbeat(context, tenant, worker, { task, attempt: Number(attempt), lines, progress })),
        });
      }
      return { verdicts };
    },
    async reportTask({ worker, task, attempt, resultDocument, lines }, handler) {
      const { tenant } = callerOf(handler);
      const report = { worker, task, attempt: Number(attempt), lines };
      let result: TaskResult;
      try {
        result = decodeDocument(taskResultSchema, resultDocument, `the result of ${task}`);
      } catch (error) {
        if (error instanceof CodedError) await acceptUnreadableReport(context, tenant, report, error.what);
        throw error;
      }
      await acceptReport(context, tenant, { ...report, result });
      return {};
    },
    async getGoverningCommit({ repository }, handler) {
      const { tenant } = callerOf(handler);
      const rows = await context.store.transact(tenant, "read-governance", (tx) => tx.governance(repository));
      return { commit: governingCommits(rows).latest };
    },
  };
}

async function vote(
  context: OrchestratorContext,
  handler: HandlerContext,
  decision: "approve" | "reject",
  request: { readonly changeSet: string; readonly digest: string; readonly comment: string },
) {
  const caller = callerOf(handler);
  await guardChangeSet(context, caller, METHOD[decision], request.changeSet);
  return viewChangeSet(context, caller.tenant, await voteOn(context, caller.tenant, caller, decision, request));
}

function previewOf({
  repository,
  environment,
  head,
  base,
  dirty,
}: {
  repository: string;
  environment: string;
  head: string;
  base: string;
  dirty: boolean;
}) {
  return { repository, environment, head, base, dirty };
}

function pageSize(size: number | undefined): number {
  return size === undefined || size === 0 ? PAGE : Math.min(size, 1_000);
}

function given<K extends string>(key: K, value: string): Partial<Record<K, string>> {
  const query: Partial<Record<K, string>> = {};
  if (value !== "") query[key] = value;
  return query;
}
