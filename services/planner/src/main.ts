import { runService } from "@xcloudflow/chassis/mesh-process";
import { PlannerService } from "@xcloudflow/proto/planner/v1/planner_pb";
import { z } from "zod";
import { DEFAULT_GIT } from "./git-process-cli.ts";
import { createPlanner } from "./planner-service.ts";

/** What fetching needs of the process's own environment: keys and proxies, nothing of ours. */
const FETCH_VARIABLES = ["SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE"];

await runService({
  name: "planner",
  environment: process.env,
  calls: ["router", "policy", "secrets", "state"],
  settings: z.object({
    XCF_CACHE: z.string(),
    XCF_GIT_TRANSPORTS: z.string().default("https,ssh"),
    /** Prefixes of the repositories that may be read: `https://git.example/infra/`, or a folder of this machine. */
    XCF_REPOSITORIES: z.string(),
  }),
  async start({ clients }, settings, opened) {
    const planner = createPlanner({
      router: clients.router,
      policy: clients.policy,
      secrets: clients.secrets,
      state: clients.state,
      git: { ...DEFAULT_GIT, fetchEnvironment: pick(process.env, FETCH_VARIABLES) },
      cacheDirectory: settings.XCF_CACHE,
      transports: settings.XCF_GIT_TRANSPORTS.split(","),
      repositories: settings.XCF_REPOSITORIES.split(",").map((prefix) => prefix.trim()),
    });
    opened.defer(() => planner.close());
    return { routes: [(r) => void r.service(PlannerService, planner.rpc)] };
  },
});

function pick(environment: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = environment[name];
      return value === undefined || value === "" ? [] : [[name, value]];
    }),
  );
}
