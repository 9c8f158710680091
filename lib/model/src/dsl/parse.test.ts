import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LIMITS } from "./limits.ts";
import { parseDocuments } from "./parse.ts";
import { formatProblem } from "./problem.ts";

/** The example of the design document, byte for byte. */
const DESIGN_EXAMPLE = `apiVersion: xcloudflow.io/v1alpha1
kind: Composition
metadata:
  name: payments-prod
spec:
  lifecycle: PaaS
  changeFrequency: medium
  modules:
    - ref: modules/aws/rds-cluster
      engine: terraform
      inputs:
        engineVersion: "15"
      policies:
        approval: environment
        backup: pre-change
  dependencies:
    - ref: compositions/foundation/network-prod
  reconcile:
    strategy: periodic
    interval: 6h
`;

function told(text: string): string[] {
  return parseDocuments("a.yaml", text).problems.map((problem) => `${problem.code} ${formatProblem(problem)}`);
}

/** A composition that is right but for what is put in. */
function composition({ spec = "", module = "" }: { spec?: string; module?: string }): string {
  return `kind: Composition\nmetadata: {name: a}\nspec:\n  lifecycle: PaaS\n  modules:\n    - ref: modules/a\n${module}${spec}`;
}

function environment(spec: string): string {
  return `kind: Environment\nmetadata: {name: prod}\nspec:\n  tier: production\n${spec}`;
}

describe("good documents", () => {
  test("the design document's example is valid as it stands", () => {
    const { documents, problems } = parseDocuments("compositions/payments-prod.yaml", DESIGN_EXAMPLE);
    assert.deepEqual(problems, []);
    assert.equal(documents.length, 1);
    const [document] = documents;
    assert.ok(document?.value.kind === "Composition");
    assert.equal(document.value.spec.lifecycle, "PaaS");
    assert.deepEqual(document.value.spec.modules[0]?.inputs, { engineVersion: "15" });
    assert.deepEqual(document.value.spec.reconcile, { strategy: "periodic", interval: "6h" });
  });

  test("the example of the interfaces is valid as it stands", () => {
    const text = `# compositions/payments-prod.yaml
kind: Composition
metadata: {name: payments-prod, labels: {team: payments}}   # name is unique in the repository
spec:
  lifecycle: PaaS                    # Foundation|IaaS, Platform|PaaS, Application|Apps, Config, Ephemeral
  changeFrequency: medium            # low | medium | high
  parameters: {size: {type: string, default: small}}
  modules:
    - name: db                       # default: last segment of ref
      ref: modules/aws/rds-cluster   # in the monorepo
      engine: terraform              # optional: the router decides
      inputs:
        engineVersion: "15"
        subnetIds: \${outputs.network-prod.vpc.subnet_ids}
        password: secret://vault/kv/payments#db_password
        size: \${param.size}
      policies: {approval: environment, backup: pre-change}
  dependencies:
    - ref: compositions/foundation/network-prod
  reconcile: {strategy: periodic, interval: 6h}
---
kind: Environment
metadata: {name: prod}
spec:
  tier: production
  ref: main
  compositions:
    - ref: compositions/payments-prod
      regions: [eu-west-1, us-east-1]
      parameters: {size: large}
  variables: {domain: example.com}   # \${var.domain}
  credentials: {aws: {planRole: …, applyRole: …}}
  engineConfig: {terraform: {varFiles: [prod.tfvars]}}
  approvals: {groups: [platform-leads], quorum: 2}
  windows: [{days: [Mon-Thu], from: "22:00", to: "05:00", timezone: Europe/Berlin}]
  budget: {monthly: 5000, currency: USD, onExceed: require-approval}
  concurrency: 4
  observe:
    window: 15m
    checks: [{name: error-rate, prometheus: 'sum(rate(http_requests_total{code=~"5.."}[5m]))', max: 0.01}]
    onBreach: rollback
`;
    const { documents, problems } = parseDocuments("a.yaml", text);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      documents.map((document) => [document.value.kind, document.index]),
      [
        ["Composition", 0],
        ["Environment", 1],
      ],
    );
  });

  test("every kind and every field of the platform file is read", () => {
    const text = `kind: Platform
spec:
  state: {backend: s3, bucket: states, region: eu-west-1, prefix: xcf, kmsKey: alias/xcf}
  encryption: {provider: age, recipients: [age1qqqq]}
  secrets: {backends: {vault: {type: vault, address: "https://vault.example.com"}, sops: {type: sops, root: secrets}, ci: {type: env, prefix: XCF_SECRET_}}}
  credentials: {aws-plan: {env: {AWS_ACCESS_KEY_ID: secret://env/AWS_ACCESS_KEY_ID}}}
  engines: {terraform: {binary: tofu, version: ">=1.6", concurrency: 4, pool: big, config: {parallelism: 20}}}
  observability: {otlp: {endpoint: "http://otel:4317"}, prometheus: {url: "http://prometheus:9090"}, grafana: {url: "http://grafana"}, alertmanager: {url: "http://am"}}
  forge: {kind: gitea, url: "https://git.example.com", repository: team/infra, token: secret://env/GITEA_TOKEN, webhookSecret: secret://env/HOOK}
  governance: {branch: main}
  retention: {changeSets: 90d, artefacts: 30d}
  matrix: {PaaS: {reconcileStrategy: "periodic:10m", engines: [terraform], frequencies: {high: {interval: 1m, concurrency: 20}}}}
  tenants: {default: {environments: [prod], owner: platform, quotas: {units: 100, runs: 5, monthly: 1000}}}
  blackouts: [{from: 2026-12-24, to: 2026-12-26, timezone: Europe/Berlin, reason: holidays}]
---
kind: ApprovalRule
metadata: {name: databases}
spec:
  match: {environments: [prod], tiers: [production], lifecycles: [PaaS], compositions: [payments-prod], modules: [db], engines: [terraform], owners: [payments], labels: {team: payments}}
  when: {resourceTypes: [aws_rds_cluster], actions: [replace, delete], monthlyCostAbove: 100}
  require: {approval: forced, groups: [dba], quorum: 2, windows: [{from: "01:00", to: "04:00"}]}
---
kind: Budget
metadata: {name: payments}
spec: {match: {owners: [payments]}, monthly: 2000, currency: EUR, onExceed: deny}
`;
    const { documents, problems } = parseDocuments("a.yaml", text);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      documents.map((document) => document.value.kind),
      ["Platform", "ApprovalRule", "Budget"],
    );
  });

  test("every routing field is read on every layer that may set it", () => {
    const settings = `  reconcile: {strategy: continuous, interval: 1m}
  driftPolicy: alert
  approvalPolicy: {kind: forced, groups: [dba], quorum: 2}
  backupPolicy: configuration
  windows: [{days: [Sat-Sun], from: "00:00", to: "06:00"}]
  blackouts: [{from: 2026-12-24, to: 2026-12-26}]
  concurrency: 3
  observe: {window: 5m}
  ttl: 8h
`;
    const workload = `  pool: big
  owner: payments
  hosts: [web-1, "web-*"]
  labels: {role: web}
  checks: [{name: up, prometheus: up, min: 1}]
  ignoreDrift: [aws_rds_cluster.this.tags]
  engineConfig: {terraform: {parallelism: 4}}
`;
    const inModule = `${settings}${workload}`.replaceAll(/^ {2}/gm, "      ");
    const moved = "  moved: [{from: old, to: new}]\n  engine: terraform\n";
    assert.deepEqual(told(composition({ spec: settings + workload + moved, module: inModule })), []);
    const hosts =
      "  hosts: {web-1: {address: 10.0.0.1, port: 22, user: ops, labels: {role: web}, variables: {a: 1}}}\n";
    const entry = `  compositions:\n    - ref: compositions/a\n${settings.replaceAll(/^ {2}/gm, "      ")}`;
    const rest =
      "  mode: observe\n  applyWhen: before-merge\n  owner: payments\n  pool: big\n  moved: [{from: a/x, to: b/x}]\n";
    assert.deepEqual(told(environment(settings + hosts + entry + rest)), []);
    assert.deepEqual(told(`kind: Platform\nspec:\n${settings}`), []);
    assert.deepEqual(
      told(`kind: Platform\nspec:\n  matrix:\n    Foundation:\n${settings.replaceAll(/^ {2}/gm, "      ")}`),
      [],
    );
  });

  test("several documents, empty ones and comments among them, are counted as the file has them", () => {
    const { documents, problems } = parseDocuments(
      "a.yaml",
      "# nothing\n---\n---\nkind: Platform\n---\n\n...\n---\nkind: Platform\n",
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(
      documents.map((document) => document.index),
      [1, 3],
    );
  });

  test("aliases may be used within bounds", () => {
    const { documents, problems } = parseDocuments(
      "a.yaml",
      composition({ module: "      inputs: {a: &x {b: 1}, c: *x, d: *x}\n" }),
    );
    assert.deepEqual(problems, []);
    const [document] = documents;
    assert.ok(document?.value.kind === "Composition");
    assert.deepEqual(document.value.spec.modules[0]?.inputs, { a: { b: 1 }, c: { b: 1 }, d: { b: 1 } });
  });
});

describe("each problem: where, what, and what to do", () => {
  const cases: readonly [name: string, text: string, problems: string[]][] = [
    [
      "a file that is one text",
      "hello",
      ["DOCUMENT_NOT_MAP a.yaml:1:1  the document is not a map  it begins with apiVersion and kind"],
    ],
    ["a list", "- a\n", ["DOCUMENT_NOT_MAP a.yaml:1:1  the document is not a map  it begins with apiVersion and kind"]],
    [
      "no kind",
      "metadata: {name: a}\n",
      [
        'KIND_MISSING a.yaml:1:1  "kind" is missing  add kind: Composition | Environment | Platform | ApprovalRule | Budget',
      ],
    ],
    [
      "a kind misspelt",
      "metadata: {name: a}\nkind: Compositon\n",
      ['KIND_UNKNOWN a.yaml:2:7  "Compositon" is not a kind of document  did you mean "Composition"?'],
    ],
    [
      "a kind of somebody else",
      "kind: Deployment\n",
      [
        'KIND_UNKNOWN a.yaml:1:7  "Deployment" is not a kind of document  allowed: Composition, Environment, Platform, ApprovalRule, Budget',
      ],
    ],
    [
      "another version",
      "apiVersion: xcloudflow.io/v1\nkind: Platform\n",
      ['VALUE_UNKNOWN a.yaml:1:13  apiVersion cannot be "xcloudflow.io/v1"  allowed: xcloudflow.io/v1alpha1'],
    ],
    [
      "an unknown key at the top",
      "kind: Platform\nsepc: {}\n",
      ['KEY_UNKNOWN a.yaml:2:1  unknown key "sepc"  did you mean "spec"?'],
    ],
    [
      "an unknown key, far from any",
      composition({ spec: "  zzz: 1\n" }),
      [
        `KEY_UNKNOWN a.yaml:7:3  unknown key "zzz" in spec  allowed here: changeFrequency, parameters, dependencies, engine, moved, reconcile, reconcileStrategy, driftPolicy, approvalPolicy, backupPolicy, windows, blackouts, concurrency, observe, ttl, engineConfig, pool, owner, hosts, labels, …`,
      ],
    ],
    [
      "an unknown key in a module",
      composition({ module: "      engin: terraform\n" }),
      ['KEY_UNKNOWN a.yaml:7:7  unknown key "engin" in spec.modules[0]  did you mean "engine"?'],
    ],
    [
      "an unknown key in a flow map",
      composition({ module: "      policies: {aproval: forced}\n" }),
      ['KEY_UNKNOWN a.yaml:7:18  unknown key "aproval" in spec.modules[0].policies  did you mean "approval"?'],
    ],
    [
      "an unknown class in the matrix",
      "kind: Platform\nspec: {matrix: {Paas: {}}}\n",
      ['KEY_UNKNOWN a.yaml:2:17  unknown key "Paas" in spec.matrix  did you mean "PaaS"?'],
    ],
    [
      "a lifecycle misspelt",
      "kind: Composition\nmetadata: {name: a}\nspec:\n  lifecycle: Fundation\n  modules: [{ref: m}]\n",
      ['VALUE_UNKNOWN a.yaml:4:14  spec.lifecycle cannot be "Fundation"  did you mean "Foundation"?'],
    ],
    [
      "a frequency that is none",
      composition({ spec: "  changeFrequency: often\n" }),
      ['VALUE_UNKNOWN a.yaml:7:20  spec.changeFrequency cannot be "often"  allowed: low, medium, high'],
    ],
    [
      "a drift policy misspelt",
      composition({ spec: '  driftPolicy: "corect"\n' }),
      ['VALUE_UNKNOWN a.yaml:7:16  spec.driftPolicy cannot be "corect"  did you mean "correct"?'],
    ],
    [
      "a gate misspelt",
      composition({ spec: "  approvalPolicy: forcd\n" }),
      ['VALUE_UNKNOWN a.yaml:7:19  spec.approvalPolicy cannot be "forcd"  did you mean "forced"?'],
    ],
    [
      "a gate misspelt in the long form",
      composition({ spec: "  approvalPolicy: {kind: forcd}\n" }),
      ['VALUE_UNKNOWN a.yaml:7:26  spec.approvalPolicy.kind cannot be "forcd"  did you mean "forced"?'],
    ],
    [
      "a gate that is a number",
      composition({ spec: "  approvalPolicy: 3\n" }),
      ["VALUE_UNKNOWN a.yaml:7:19  spec.approvalPolicy cannot be 3  allowed: forced, environment, automatic, none"],
    ],
    [
      "a key that is missing",
      "kind: Composition\nmetadata: {name: a}\nspec:\n  lifecycle: PaaS\n",
      ['KEY_MISSING a.yaml:3:1  "modules" is missing in spec  add it'],
    ],
    [
      "a choice that is missing",
      "kind: Environment\nmetadata: {name: a}\nspec: {ref: main}\n",
      ['KEY_MISSING a.yaml:3:1  "tier" is missing in spec  one of production, staging, development, ephemeral'],
    ],
    [
      "a key in a list's entry that is missing",
      "kind: Composition\nmetadata: {name: a}\nspec:\n  lifecycle: PaaS\n  modules:\n    - name: x\n",
      ['KEY_MISSING a.yaml:6:7  "ref" is missing in spec.modules[0]  add it'],
    ],
    [
      "a document without spec",
      "kind: Composition\nmetadata: {name: a}\n",
      ['KEY_MISSING a.yaml:1:1  "spec" is missing  add it'],
    ],
    [
      "a key without value",
      composition({ spec: "  dependencies:\n" }),
      ["VALUE_EMPTY a.yaml:7:3  spec.dependencies is empty  give it a value, or remove the key"],
    ],
    [
      "text where a list belongs",
      composition({ spec: "  dependencies: compositions/x\n" }),
      ['VALUE_TYPE a.yaml:7:17  spec.dependencies must be a list, not text "compositions/x"'],
    ],
    [
      "a list where a map belongs",
      composition({ module: "      inputs: [a]\n" }),
      ["VALUE_TYPE a.yaml:7:15  spec.modules[0].inputs must be a map, not a list"],
    ],
    [
      "a number where text belongs",
      composition({ spec: "  owner: 15\n" }),
      ['VALUE_TYPE a.yaml:7:10  spec.owner must be text, not number 15  put quotes around it: "15"'],
    ],
    [
      "text where a number belongs",
      composition({ spec: '  concurrency: "3"\n' }),
      ['VALUE_TYPE a.yaml:7:16  spec.concurrency must be a number, not text "3"'],
    ],
    [
      "a number out of range",
      composition({ spec: "  concurrency: 0\n" }),
      ["VALUE_RANGE a.yaml:7:16  spec.concurrency must be at least 1"],
    ],
    [
      "a number too large",
      environment("  approvals: {quorum: 101}\n"),
      ["VALUE_RANGE a.yaml:5:23  spec.approvals.quorum must be at most 100"],
    ],
    ["an empty list", environment("  windows: []\n"), ["VALUE_RANGE a.yaml:5:12  spec.windows must not be empty"]],
    [
      "a name that is none",
      "kind: Platform\nmetadata: {name: Prod_1}\n",
      [
        'VALUE_INVALID a.yaml:2:18  metadata.name is "Prod_1" and must be 1 to 63 lower-case letters, digits or dashes, starting with a letter or digit',
      ],
    ],
    [
      "a bad duration",
      composition({ spec: "  reconcile: {strategy: periodic, interval: 6 hours}\n" }),
      [
        'VALUE_INVALID a.yaml:7:45  spec.reconcile.interval is "6 hours" and must be a duration such as 90s, 15m, 6h, 1h30m or 7d',
      ],
    ],
    [
      "no time at all",
      composition({ spec: "  ttl: 0s\n" }),
      ['VALUE_INVALID a.yaml:7:8  spec.ttl is "0s" and must be longer than nothing'],
    ],
    [
      "a bad shorthand",
      composition({ spec: "  reconcileStrategy: periodc:5m\n" }),
      [
        'VALUE_INVALID a.yaml:7:22  spec.reconcileStrategy is "periodc:5m" and must be on_drift, periodic, continuous or on_change, with an interval if you like: periodic:15m',
      ],
    ],
    [
      "a shorthand with a bad duration",
      composition({ spec: "  reconcileStrategy: periodic:5\n" }),
      [
        'VALUE_INVALID a.yaml:7:22  spec.reconcileStrategy is "periodic:5" and must have an interval such as 90s, 15m or 6h',
      ],
    ],
    [
      "a time zone misspelt",
      environment('  windows: [{from: "22:00", to: "05:00", timezone: Europe/Berln}]\n'),
      [
        'VALUE_INVALID a.yaml:5:52  spec.windows[0].timezone is "Europe/Berln" and is no time zone (an IANA name, such as Europe/Berlin or UTC)  did you mean "Europe/Berlin"?',
      ],
    ],
    [
      "a bad time of day",
      environment('  windows: [{from: "24:00", to: "05:00"}]\n'),
      [
        'VALUE_INVALID a.yaml:5:20  spec.windows[0].from is "24:00" and must be a time of day from "00:00" to "23:59", quoted',
      ],
    ],
    [
      "a bad day",
      environment('  windows: [{days: [Mon, Tues], from: "22:00", to: "05:00"}]\n'),
      [
        'VALUE_INVALID a.yaml:5:26  spec.windows[0].days[1] is "Tues" and must be a day (Mon, Tue, Wed, Thu, Fri, Sat, Sun) or a range such as Mon-Thu',
      ],
    ],
    [
      "a day that no calendar has",
      environment("  blackouts: [{from: 2026-02-30, to: 2026-03-01}]\n"),
      ['VALUE_INVALID a.yaml:5:22  spec.blackouts[0].from is "2026-02-30" and is not a day of the calendar'],
    ],
    [
      "a blackout that ends before it begins",
      environment("  blackouts: [{from: 2026-03-02, to: 2026-03-01}]\n"),
      ["VALUE_INVALID a.yaml:5:15  spec.blackouts[0] must not end before it begins"],
    ],
    [
      "a check that cannot fail",
      composition({ spec: "  checks: [{name: a, prometheus: up}]\n" }),
      ["VALUE_INVALID a.yaml:7:12  spec.checks[0] needs max or min, else it can never fail"],
    ],
    [
      "a variable's name",
      environment("  variables: {a.b: 1}\n"),
      ['KEY_INVALID a.yaml:5:15  the key "a.b" must be letters, digits, _ or -, starting with a letter or _'],
    ],
    [
      "an unknown state backend",
      "kind: Platform\nspec:\n  state: {backend: postgress}\n",
      ['VALUE_UNKNOWN a.yaml:3:20  spec.state.backend cannot be "postgress"  did you mean "postgres"?'],
    ],
    [
      "a backend without its kind",
      "kind: Platform\nspec:\n  state: {bucket: x}\n",
      ['KEY_MISSING a.yaml:3:3  "backend" is missing in spec.state  one of embedded, postgres, sqlite, s3, gcs'],
    ],
    [
      "another backend's key",
      "kind: Platform\nspec:\n  state: {backend: sqlite, path: x, bucket: y}\n",
      ['KEY_UNKNOWN a.yaml:3:37  unknown key "bucket" in spec.state  remove it'],
    ],
    [
      "a secret in clear",
      "kind: Platform\nspec:\n  forge: {kind: github, repository: a/b, token: ghp_x}\n",
      [
        "VALUE_INVALID a.yaml:3:49  spec.forge.token must be secret://<backend>/<path>, or secret://<backend>/<path>#<key>, without empty, . or .. parts",
      ],
    ],
    [
      "a path that leaves the repository",
      "kind: Platform\nspec:\n  secrets: {backends: {x: {type: sops, root: ../x}}}\n",
      [
        'VALUE_INVALID a.yaml:3:46  spec.secrets.backends.x.root is "../x" and must be a path inside the repository, relative, without ..',
      ],
    ],
    [
      "a branch that is an option",
      environment("  ref: --upload-pack=x\n"),
      ['VALUE_INVALID a.yaml:5:8  spec.ref is "--upload-pack=x" and must be a branch name'],
    ],
    [
      "a reserved key",
      composition({ module: "      inputs: {$xcf: secret}\n" }),
      ['KEY_FORBIDDEN a.yaml:7:16  the key "$xcf" is reserved  rename it'],
    ],
    [
      "a key of JavaScript's own",
      composition({ module: "      inputs:\n        __proto__: {a: 1}\n" }),
      ['KEY_FORBIDDEN a.yaml:8:9  the key "__proto__" is reserved  rename it'],
    ],
    [
      "infinity",
      composition({ module: "      inputs: {a: .inf}\n" }),
      ["NUMBER_INVALID a.yaml:7:19  infinity and not-a-number are no values here  write a number, or put it in quotes"],
    ],
    [
      "a number that would lose digits",
      composition({ module: "      inputs: {a: 12345678901234567890}\n" }),
      ["NUMBER_INEXACT a.yaml:7:19  this number is too large to be kept exactly  put it in quotes to keep its digits"],
    ],
    [
      "a key that is there twice",
      "kind: Platform\nspec: {}\n# again\nspec: {}\n",
      ['KEY_REPEATED a.yaml:4:1  the key "spec" is there twice  the first is at 2:1; keep one of them'],
    ],
    [
      "a key that is there three times",
      "kind: Platform\nspec: {ttl: 1h, ttl: 2h, 'ttl': 3h}\n",
      [
        'KEY_REPEATED a.yaml:2:17  the key "ttl" is there twice  the first is at 2:8; keep one of them',
        'KEY_REPEATED a.yaml:2:26  the key "ttl" is there twice  the first is at 2:8; keep one of them',
      ],
    ],
    [
      "a tag",
      "kind: !x Platform\n",
      ["YAML_TAG a.yaml:1:7  the tag !x is not known here  remove the tag; only plain YAML 1.2 values are read"],
    ],
    [
      "a tag of YAML 1.1",
      "kind: Platform\nspec: !!binary aGk=\n",
      ["YAML_TAG a.yaml:2:7  the tag !!binary is not known here  remove the tag; only plain YAML 1.2 values are read"],
    ],
    [
      "an alias of nothing",
      "kind: *x\n",
      ["YAML_ALIAS a.yaml:1:7  nothing before this is anchored as &x  put &x on the value that *x means"],
    ],
    [
      "a map as a key",
      "? {a: 1}\n: 2\n",
      [
        "YAML_KEY a.yaml:1:1  a key must be text, not a number, a boolean, null, a map or a list  put quotes around the key",
      ],
    ],
    [
      "tabs",
      "kind: Platform\nspec:\n\tstate: {}\n",
      ["YAML_SYNTAX a.yaml:3:1  tabs are not allowed as indentation  indent with spaces"],
    ],
    [
      "a colon in text",
      "kind: Platform\nspec:\n  a: b: c\n",
      [
        'YAML_SYNTAX a.yaml:3:6  nested mappings are not allowed in compact mappings  put quotes around a text that has ": " in it, or begin a new line',
      ],
    ],
    [
      "a bracket that stays open",
      "kind: Platform\nspec: {a: [1, 2}\n",
      [
        "YAML_SYNTAX a.yaml:2:16  flow sequence in block collection must be sufficiently indented and end with a ]  line the text up with its neighbours, and close every bracket and quote",
      ],
    ],
  ];
  for (const [name, text, problems] of cases) test(name, () => assert.deepEqual(told(text), problems));

  test("all problems of a file are told at once, in order of place", () => {
    const text =
      "kind: Composition\nmetadata: {nme: a}\nspec:\n  lifecycle: Paas\n  modules:\n    - ref: 5\n---\nkind: Enviroment\n---\nkind: Platform\nspec: {ttl: 1x}\n";
    assert.deepEqual(told(text), [
      'KEY_MISSING a.yaml:2:1  "name" is missing in metadata  add it',
      'KEY_UNKNOWN a.yaml:2:12  unknown key "nme" in metadata  did you mean "name"?',
      'VALUE_UNKNOWN a.yaml:4:14  spec.lifecycle cannot be "Paas"  did you mean "PaaS"?',
      'VALUE_TYPE a.yaml:6:12  spec.modules[0].ref must be text, not number 5  put quotes around it: "5"',
      'KIND_UNKNOWN a.yaml:8:7  "Enviroment" is not a kind of document  did you mean "Environment"?',
      'VALUE_INVALID a.yaml:11:13  spec.ttl is "1x" and must be a duration such as 90s, 15m, 6h, 1h30m or 7d',
    ]);
  });

  test("several syntax errors of a file are told at once, one a line", () => {
    assert.deepEqual(
      told("a: b: c\nd: x\n\te: f: g\n").map((line) => line.split("  ")[0]),
      ["YAML_SYNTAX a.yaml:1:4", "YAML_SYNTAX a.yaml:3:1"],
    );
  });

  test("a repeated key does not hide the other problems", () => {
    assert.deepEqual(
      told("kind: Platform\nspec: {ttl: 1h}\nspec: {ttl: 1x}\n").map((line) => line.split(" ")[0]),
      ["KEY_REPEATED", "VALUE_INVALID"],
    );
  });

  test("the good documents of a file with a bad one are kept", () => {
    const { documents } = parseDocuments(
      "a.yaml",
      "kind: Platform\n---\nkind: X\n---\nkind: Budget\nmetadata: {name: a}\nspec: {monthly: 1}\n",
    );
    assert.deepEqual(
      documents.map((document) => document.value.kind),
      ["Platform", "Budget"],
    );
  });

  test("lines end as they like, a byte order mark counts for nothing", () => {
    assert.deepEqual(told("\uFEFFkind: Platform\r\nsepc: {}\r\n"), [
      'KEY_UNKNOWN a.yaml:2:1  unknown key "sepc"  did you mean "spec"?',
    ]);
    assert.deepEqual(told("kind: Platform\rsepc: {}\r"), [
      'KEY_UNKNOWN a.yaml:2:1  unknown key "sepc"  did you mean "spec"?',
    ]);
  });
});

describe("limits", () => {
  const inputs = (yaml: string): string => composition({ module: `      inputs: ${yaml}\n` });

  test("size", () => {
    const text = `kind: Platform\n#${"x".repeat(LIMITS.fileBytes)}\n`;
    assert.deepEqual(told(text), [
      `LIMIT_EXCEEDED a.yaml:1:1  this file is ${text.length} bytes, more than 1048576  split the file; one composition a file is usual`,
    ]);
    assert.deepEqual(told(text.slice(0, LIMITS.fileBytes)), []);
    assert.equal(told(`kind: Platform\n#${"ü".repeat(LIMITS.fileBytes / 2)}\n`).length, 1);
  });

  test("depth", () => {
    const nested = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`;
    // spec, modules, its entry and inputs are around it.
    assert.deepEqual(told(inputs(`{a: ${nested(LIMITS.depth - 5)}}`)), []);
    assert.deepEqual(
      told(inputs(`{a: ${nested(LIMITS.depth - 4)}}`)).map((line) => line.split("  ")[1]),
      ["maps and lists are nested deeper than 32"],
    );
    assert.deepEqual(told("[".repeat(100_000)), [
      "LIMIT_EXCEEDED a.yaml:1:32  maps and lists are nested deeper than 32  flatten the structure",
    ]);
  });

  test("depth through an alias of itself", () => {
    assert.match(
      told(inputs("{a: &a [*a]}")).join("\n"),
      /^LIMIT_EXCEEDED a\.yaml:7:\d+ {2}maps and lists are nested deeper than 32/,
    );
  });

  test("aliases", () => {
    const aliased = (count: number): string => inputs(`{a: &a 1, b: [${Array(count).fill("*a").join(", ")}]}`);
    assert.deepEqual(told(aliased(LIMITS.aliases)), []);
    assert.match(
      told(aliased(LIMITS.aliases + 1)).join("\n"),
      /^LIMIT_EXCEEDED a\.yaml:7:\d+ {2}more than 100 aliases/,
    );
  });

  test("values multiplied by aliases: the billion laughs cost no billion", () => {
    const ten = (name: string): string => `[${Array(10).fill(`*${name}`).join(", ")}]`;
    const laughs = `{a: &a [1,1,1,1,1,1,1,1,1,1], b: &b ${ten("a")}, c: &c ${ten("b")}, d: &d ${ten("c")}, e: &e ${ten("d")}, f: &f ${ten("e")}, g: &g ${ten("f")}, h: ${ten("g")}}`;
    assert.match(
      told(inputs(laughs)).join("\n"),
      /^LIMIT_EXCEEDED a\.yaml:7:\d+ {2}the file has more than 500000 values/,
    );
  });

  test("expressions", () => {
    const many = (count: number): string => inputs(`{a: "${`\${region}`.repeat(count)}"}`);
    assert.deepEqual(told(many(LIMITS.references)), []);
    assert.match(
      told(many(LIMITS.references + 1)).join("\n"),
      /^LIMIT_EXCEEDED a\.yaml:7:19 {2}the file has more than 10000 expressions/,
    );
  });

  test("values of several documents count together", () => {
    const ten = (name: string): string => `[${Array(10).fill(`*${name}`).join(", ")}]`;
    const some = `a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b ${ten("a")}\nc: &c ${ten("b")}\nd: &d ${ten("c")}\ne: ${ten("d")}\n`;
    assert.match(told(Array(6).fill(some).join("---\n")).join("\n"), /^LIMIT_EXCEEDED .* more than 500000 values/);
  });

  test("problems: the first thousand are told, and that there are more", () => {
    const keys = Array.from({ length: 3_000 }, (_, index) => `k${index}: 1\n`).join("");
    const problems = told(`kind: Platform\n${keys}`);
    assert.equal(problems.length, 1_000);
    const more = told("---\nkind: Platform\na: 1\nb: 1\n".repeat(900));
    assert.equal(more.length, 1_001);
    assert.equal(
      more.at(-1),
      "LIMIT_EXCEEDED a.yaml:2003:1  this file has more than 1000 problems; the rest is not told  begin with those above",
    );
  });

  test("documents", () => {
    const many = (count: number): string => "---\nkind: Platform\n".repeat(count);
    assert.deepEqual(told(many(LIMITS.documents)), []);
    assert.match(
      told(many(LIMITS.documents + 1)).join("\n"),
      /^LIMIT_EXCEEDED a\.yaml:1:1 {2}this file has 1001 documents/,
    );
  });
});

describe("files that hold other YAML, too", () => {
  const problems = (text: string): readonly string[] =>
    parseDocuments("a.yaml", text, "own-documents").problems.map((problem) => problem.code);

  test("are left alone where nothing in them is ours", () => {
    for (const text of [
      "a: !x 1",
      "a: [",
      "kind: Deployment\napiVersion: apps/v1\n",
      "- 1",
      "values: {kind: web}",
      "sops: {mac: ENC[]}",
    ]) {
      assert.deepEqual(problems(text), [], text);
    }
  });

  test("are read where something is", () => {
    assert.deepEqual(problems("kind: Budgt\n"), ["KIND_UNKNOWN"]);
    assert.deepEqual(problems("apiVersion: xcloudflow.io/v1alpha1\nkind: Foo\n"), ["KIND_UNKNOWN"]);
    assert.deepEqual(
      problems("kind: Deployment\napiVersion: apps/v1\n---\nkind: Budget\nmetadata: {name: a}\nspec: {}\n"),
      ["KEY_MISSING"],
    );
    assert.deepEqual(problems("kind: Environment\nspec: [\n"), ["YAML_SYNTAX"]);
  });
});
