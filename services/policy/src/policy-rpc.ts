import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { callerOf } from "@xcloudflow/chassis/caller";
import { encodeDocument } from "@xcloudflow/model/parse-json";
import { PolicyService } from "@xcloudflow/proto/policy/v1/policy_pb";
import { evaluateChange } from "./evaluate-change.ts";
import { composeBundle, defineBundle } from "./policy-bundle.ts";
import type { PolicyContext } from "./policy-context.ts";

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
    async evaluateFiles({ policies, data, inputs, namespaces, allNamespaces, combine, directory, regoVersion }, call) {
      const bundle = composeBundle(policies.filter(isRego), data, {
        regoVersion: regoVersion === "v0" ? "v0" : "v1",
        dataRoot: "data",
      });
      const results = await context.tools.evaluateFiles(callerOf(call).tenant, bundle, {
        inputs,
        namespaces: { names: namespaces, all: allNamespaces },
        combine,
        directory: directory === "" ? "/" : directory,
      });
      return {
        resultsDocument: encodeDocument(results),
        failures: results.reduce((sum, { failures }) => sum + (failures?.length ?? 0), 0),
        warnings: results.reduce((sum, { warnings }) => sum + (warnings?.length ?? 0), 0),
      };
    },
    async testPolicies({ files }) {
      const { problems, passed } = await context.tools.test(defineBundle(files));
      return {
        problems: problems.map(({ col, hint, ...rest }) => ({ ...rest, column: col, hint: hint ?? "" })),
        passed,
      };
    },
  };
  return (router) => {
    router.service(PolicyService, implementation);
  };
}

function isRego({ path }: { readonly path: string }): boolean {
  return path.endsWith(".rego");
}
