import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { callerOf } from "@xcloudflow/chassis/caller";
import { encodeDocument } from "@xcloudflow/model/parse-json";
import { PolicyService } from "@xcloudflow/proto/policy/v1/policy_pb";
import { evaluateChange } from "./evaluate-change.ts";
import { defineBundle } from "./policy-bundle.ts";
import type { PolicyContext } from "./policy-context.ts";
import { createPolicyFilesRpc } from "./policy-files-rpc.ts";

/** `PolicyService` over the functions of this workspace: nothing is decided here. */
export function policyRoutes(context: PolicyContext): (router: ConnectRouter) => void {
  const implementation: ServiceImpl<typeof PolicyService> = {
    async loadBundle({ files }, call) {
      const bundle = defineBundle(files);
      await context.bundles.load(callerOf(call).tenant, bundle);
      return { revision: bundle.revision };
    },
    async evaluate({ revisions, subjects, namespaces }, call) {
      const { tenant, subject: actor } = callerOf(call);
      const decision = await evaluateChange(context, { tenant, actor }, { revisions, subjects, namespaces });
      return {
        verdictDocument: encodeDocument(decision.verdict),
        tightenings: decision.tightenings.map(({ groups, ...rest }) => ({ ...rest, groups: [...groups] })),
        sensitivePaths: [...decision.sensitivePaths],
        decisionId: decision.decisionId,
      };
    },
    ...createPolicyFilesRpc(context.tools),
  };
  return (router) => {
    router.service(PolicyService, implementation);
  };
}
