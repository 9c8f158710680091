import type { ServiceImpl } from "@connectrpc/connect";
import { callerOf } from "@xcloudflow/chassis/caller";
import { encodeDocument } from "@xcloudflow/model/parse-json";
import type { PolicyService } from "@xcloudflow/proto/policy/v1/policy_pb";
import { composeBundle, defineBundle } from "./policy-bundle.ts";
import type { PolicyTools } from "./policy-tools.ts";

/** The verbs that judge files and keep nothing: they need OPA and no database, so the CLI offers them offline. */
export function createPolicyFilesRpc(
  tools: PolicyTools,
): Pick<ServiceImpl<typeof PolicyService>, "evaluateFiles" | "testPolicies"> {
  return {
    async evaluateFiles({ policies, data, inputs, namespaces, allNamespaces, combine, directory, regoVersion }, call) {
      const bundle = composeBundle(policies.filter(isRego), data, {
        regoVersion: regoVersion === "v0" ? "v0" : "v1",
        dataRoot: "data",
      });
      const results = await tools.evaluateFiles(callerOf(call).tenant, bundle, {
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
      const { problems, passed } = await tools.test(defineBundle(files));
      return {
        problems: problems.map(({ col, hint, ...rest }) => ({ ...rest, column: col, hint: hint ?? "" })),
        passed,
      };
    },
  };
}

function isRego({ path }: { readonly path: string }): boolean {
  return path.endsWith(".rego");
}
