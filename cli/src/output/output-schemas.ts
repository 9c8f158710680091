import { z } from "zod";
import * as audit from "./audit-output.ts";
import { changeSetOutputSchema, planOutputSchema, plansOutputSchema } from "./change-set-output.ts";
import { doctorOutputSchema } from "./doctor-output.ts";
import { errorOutputSchema } from "./error-output.ts";
import { explainOutputSchema } from "./explain-output.ts";
import { graphOutputSchema } from "./graph-output.ts";
import { initOutputSchema } from "./init-output.ts";
import { unlockOutputSchema } from "./lock-output.ts";
import { runOutputSchema, runsOutputSchema } from "./run-output.ts";
import { serverOutputSchema } from "./server-output.ts";
import { stateOutputSchema, statesOutputSchema, stateVersionsOutputSchema } from "./state-output.ts";
import { createdTokenOutputSchema, revokedTokenOutputSchema, tokensOutputSchema } from "./token-output.ts";
import { validateOutputSchema } from "./validate-output.ts";
import { whyOutputSchema } from "./why-output.ts";

/** What each `-o json` prints, by the name its JSON Schema is published under, with the verbs that print it. */
export const OUTPUT_SCHEMAS: Readonly<Record<string, readonly [title: string, schema: z.ZodType]>> = {
  "audit-export": ["xcf audit export", audit.auditExportOutputSchema],
  "audit-prove": ["xcf audit prove", audit.auditProveOutputSchema],
  "audit-query": ["xcf audit query", audit.auditQueryOutputSchema],
  "audit-verify": ["xcf audit verify", audit.auditVerifyOutputSchema],
  "change-set": ["xcf show cs_…, approve, reject", changeSetOutputSchema],
  doctor: ["xcf doctor", doctorOutputSchema],
  error: ["any verb, on standard error", errorOutputSchema],
  explain: ["xcf explain", explainOutputSchema],
  graph: ["xcf graph", graphOutputSchema],
  init: ["xcf init", initOutputSchema],
  plan: ["xcf plan, drift", planOutputSchema],
  plans: ["xcf plan --all-envs", plansOutputSchema],
  run: ["xcf apply, watch, cancel, retry, show run_…", runOutputSchema],
  runs: ["xcf runs", runsOutputSchema],
  server: ["xcf up", serverOutputSchema],
  state: ["xcf state show", stateOutputSchema],
  "state-versions": ["xcf state versions", stateVersionsOutputSchema],
  states: ["xcf state list", statesOutputSchema],
  "token-created": ["xcf token create", createdTokenOutputSchema],
  "token-revoked": ["xcf token revoke", revokedTokenOutputSchema],
  tokens: ["xcf token list", tokensOutputSchema],
  unlock: ["xcf unlock", unlockOutputSchema],
  validate: ["xcf validate", validateOutputSchema],
  why: ["xcf why", whyOutputSchema],
};

const BASE = "https://xcloudflow.io/schemas/v1alpha1/output";

/** The JSON Schema of every output, by file name. */
export function outputJsonSchemas(): ReadonlyMap<string, object> {
  return new Map(
    Object.entries(OUTPUT_SCHEMAS).map(([name, [title, schema]]) => {
      const file = `${name}.schema.json`;
      const { $schema, ...rest } = z.toJSONSchema(schema, { io: "output", unrepresentable: "any" });
      return [file, { $schema, $id: `${BASE}/${file}`, title: `Output of ${title}`, ...rest }];
    }),
  );
}
