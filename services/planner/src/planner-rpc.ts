import type { ServiceImpl } from "@connectrpc/connect";
import { as, callerOf, serviceCaller } from "@xcloudflow/chassis/caller";
import { appliedPointerSchema } from "@xcloudflow/model/applied-pointer";
import { changeSetSchema } from "@xcloudflow/model/change-set";
import { type Compilation, compilationSchema } from "@xcloudflow/model/compilation";
import { decodeDocument, encodeDocument } from "@xcloudflow/model/parse-json";
import { type UnitPlan, unitPlanSchema } from "@xcloudflow/model/unit-plan";
import type { PlannerService } from "@xcloudflow/proto/planner/v1/planner_pb";
import { assembleChangeSet } from "./assemble.ts";
import { checkFreshness } from "./check-freshness.ts";
import { compileEnvironment } from "./compile.ts";
import type { PlannerContext, StateClient } from "./planner-context.ts";
import { policyDocumentSchema } from "./policy-document.ts";
import { readFileAt } from "./read-file.ts";

/** Thin: reads the request, asks, shapes the answer. */
export function createPlannerRpc(context: PlannerContext): ServiceImpl<typeof PlannerService> {
  return {
    async compile(request, handler) {
      const { tenant } = callerOf(handler);
      const { repository, head, base, environment, dirty, only, replace, destroy, appliedOnly } = request;
      const { governanceCommit, governanceCommits } = request;
      const compilation = await compileEnvironment(context, {
        tenant,
        repository,
        head,
        base,
        environment,
        dirty,
        only,
        replace,
        destroy,
        governanceCommit,
        governanceCommits,
        appliedOnly,
        upload: true,
      });
      return { compilationDocument: encodeDocument(compilation) };
    },
    async assemble(request, handler) {
      const { tenant } = callerOf(handler);
      const compilation = decodeDocument(compilationSchema, request.compilationDocument, "the compilation");
      const plans = request.unitPlanDocuments.map((bytes) => decodeDocument(unitPlanSchema, bytes, "a unit plan"));
      const changeSet = assembleChangeSet({
        id: request.changeSetId,
        compilation,
        plans,
        policy: decodeDocument(policyDocumentSchema, request.policyDocument, "policy's verdict"),
        priorSnapshots: await appliedSnapshots(context.state, tenant, compilation, plans),
        author: request.author,
        origin: decodeDocument(changeSetSchema.shape.origin, request.originDocument, "the origin"),
        createdAt: request.createdAt,
        expiresAt: request.expiresAt,
      });
      return { changeSetDocument: encodeDocument(changeSet), digest: changeSet.digest };
    },
    async checkFreshness(request, handler) {
      const changeSet = decodeDocument(changeSetSchema, request.changeSetDocument, "the ChangeSet");
      return checkFreshness(context, callerOf(handler).tenant, changeSet, request);
    },
    async readFile(request) {
      const content = await readFileAt(context, request);
      return content === undefined ? {} : { content };
    },
  };
}

/** Content hash of the module each planned unit was last applied with. */
async function appliedSnapshots(
  state: StateClient,
  tenant: string,
  compilation: Compilation,
  plans: readonly UnitPlan[],
): Promise<Map<string, string>> {
  const planned = new Set(plans.map(({ address }) => address));
  const units = compilation.units.flatMap(({ address, movedFrom }) =>
    planned.has(address) ? [movedFrom ?? address] : [],
  );
  if (units.length === 0) return new Map();
  const { pointerDocuments } = await state.listApplied({ units }, as(serviceCaller(tenant, "planner")));
  const pointers = pointerDocuments.map((bytes) => decodeDocument(appliedPointerSchema, bytes, "an applied pointer"));
  return new Map(
    pointers.flatMap(({ address, unit, attempted }) => (attempted ? [] : [[address, unit.module.contentHash]])),
  );
}
