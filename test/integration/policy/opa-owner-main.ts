import { startOpaServer } from "@xcloudflow/policy/opa-server";
import { composeBundle } from "@xcloudflow/policy/policy-bundle";

// Starts an OPA, says its pid to whoever forked it, and then waits to be killed.
const [binary = "", folder = ""] = process.argv.slice(2);
const bundle = composeBundle([], [], { regoVersion: "v1", dataRoot: "data" });
const { pid } = await startOpaServer(bundle, { binary, folder, startTimeoutMs: 5_000 });
// A listener keeps the process waiting on its parent: a resident OPA alone does not.
process.on("message", () => undefined);
process.send?.(pid);
