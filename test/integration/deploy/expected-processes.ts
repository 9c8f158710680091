/** What a process is told and where it begins. The chart, the compose file and the Dockerfiles must all say the same. */
export interface ExpectedProcess {
  name: string;
  image: string;
  entry: string;
  /** Environment that is there whatever the values say. */
  environment: string[];
}

const common = "LISTEN PROBE_LISTEN TLS_CERT TLS_KEY TLS_CA LOG";
const nats = "NATS_URL NATS_CA NATS_CERT NATS_KEY NATS_USER NATS_PASSWORD";
const database = "DATABASE_URL";
const runner = "ORCHESTRATOR_URL STATE_URL SECRETS_URL POOL TENANT CONCURRENCY SCRATCH CACHE TOOL_TOFU DRAIN_SECONDS";

export const expectedProcesses: ExpectedProcess[] = [
  service("api", database, nats, "ORCHESTRATOR_URL STATE_URL POLICY_URL AUDIT_URL PUBLIC_LISTEN ADMIN_TOKEN"),
  service("planner", "ROUTER_URL POLICY_URL SECRETS_URL STATE_URL CACHE REPOSITORIES GIT_TRANSPORTS"),
  service("policy", database, nats, "TOOL_OPA"),
  service("router"),
  service("orchestrator", database, nats, "PLANNER_URL POLICY_URL STATE_URL SECRETS_URL ATTEMPT_KEY"),
  service("state", database, nats, "API_URL ATTEMPT_PUBLIC_KEY STATE_AGE_KEY"),
  service("secrets", database, nats, "ORCHESTRATOR_URL PLANNER_URL ATTEMPT_PUBLIC_KEY TOOL_SOPS"),
  service("audit", database, nats, "AUDIT_KEY AUDIT_ORIGIN AUDIT_CHECKPOINTS"),
  pool("terraform", "plan"),
  pool("terraform", "apply"),
];

function service(name: string, ...variables: string[]): ExpectedProcess {
  return { name, image: name, entry: `services/${name}/src/main.ts`, environment: withCommon(variables) };
}

function pool(engine: string, kind: string): ExpectedProcess {
  return {
    name: `runner-${engine}-${kind}`,
    image: `runner-${engine}`,
    entry: `runners/${engine}/src/main.ts`,
    environment: withCommon([nats, runner]),
  };
}

function withCommon(variables: string[]): string[] {
  return [common, ...variables]
    .flatMap((line) => line.split(" "))
    .map((name) => `XCF_${name}`)
    .sort();
}
