// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are expressions of the DSL
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { expandEnvironment } from "./expansion.ts";
import { compileMonorepo, type MonorepoOptions, type ParseCache } from "./monorepo.ts";
import { formatProblem } from "./problem.ts";

interface Repository {
  readonly [path: string]: string;
}

/** A foundation, what stands on it, and one environment that assembles both. Nothing in it is odd. */
const SHOP: Repository = {
  ".xcf.yaml": "kind: Platform\nspec:\n  secrets: {backends: {vault: {type: vault, address: 'http://vault:8200'}}}\n",
  "compositions/net.yaml": `kind: Composition
metadata: {name: net}
spec:
  lifecycle: Foundation
  modules:
    - {name: vpc, ref: modules/vpc}
    - {name: dns, ref: modules/dns, inputs: {vpc: "\${outputs.net.vpc.id}"}}
`,
  "compositions/web.yaml": `kind: Composition
metadata: {name: web}
spec:
  lifecycle: Application
  parameters: {size: {default: small}}
  modules:
    - name: app
      ref: modules/app
      inputs:
        subnets: \${outputs.net.vpc.subnets}
        host: app.\${var.domain}
        size: \${param.size}
        password: secret://vault/kv/web#pw
  dependencies:
    - ref: compositions/net
`,
  "envs/prod/environment.yaml": `kind: Environment
metadata: {name: prod}
spec:
  tier: production
  variables: {domain: example.com}
  windows: [{from: "22:00", to: "05:00"}]
  compositions:
    - ref: compositions/net
    - ref: compositions/web
      parameters: {size: large}
`,
};

function compile(changes: Repository, options?: MonorepoOptions) {
  return compileMonorepo(new Map(Object.entries({ ...SHOP, ...changes })), options);
}

function told(changes: Repository, options?: MonorepoOptions): string[] {
  return compile(changes, options).problems.map((problem) => `${problem.code} ${formatProblem(problem)}`);
}

/** The same repository with one text replaced by another in one file; the text must be there. */
function edited(path: string, from: string, to: string): Repository {
  const text = SHOP[path] ?? "";
  assert.ok(text.includes(from), from);
  return { [path]: text.replace(from, () => to) };
}

const WEB = "compositions/web.yaml";
const NET = "compositions/net.yaml";
const PROD = "envs/prod/environment.yaml";

test("a good repository has no problems", () => assert.deepEqual(told({}), []));

test("an empty repository has no problems and nothing in it", () => {
  const { monorepo, problems } = compileMonorepo(new Map());
  assert.deepEqual(problems, []);
  assert.equal(monorepo.environments.size, 0);
});

describe("each problem: where, what, and what to do", () => {
  const cases: readonly [name: string, changes: Repository, problems: string[]][] = [
    [
      "a composition's name taken",
      { "compositions/x/web.yaml": SHOP[WEB] ?? "" },
      [
        `NAME_TAKEN compositions/x/web.yaml:2:12  the Composition "web" is there twice  the first is at compositions/web.yaml:2:12; rename one of them`,
      ],
    ],
    [
      "an environment claimed twice",
      { "envs/other/environment.yaml": "kind: Environment\nmetadata: {name: prod}\nspec: {tier: staging}\n" },
      [
        `NAME_TAKEN envs/other/environment.yaml:2:12  the Environment "prod" is there twice  the first is at envs/prod/environment.yaml:2:12; rename one of them`,
      ],
    ],
    [
      "two compositions in one file",
      {
        "compositions/two.yaml":
          "kind: Composition\nmetadata: {name: a}\nspec: {lifecycle: Config, modules: [{ref: modules/a}]}\n---\nkind: Composition\nmetadata: {name: b}\nspec: {lifecycle: Config, modules: [{ref: modules/a}]}\n",
      },
      [
        `REF_AMBIGUOUS compositions/two.yaml:6:12  "compositions/two.yaml" locates both "a" and "b"  put each composition in a file of its own`,
      ],
    ],
    [
      "a kind in the wrong place",
      { "compositions/env.yaml": "kind: Budget\nmetadata: {name: a}\nspec: {monthly: 1}\n" },
      [
        "KIND_MISPLACED compositions/env.yaml:1:1  a document of kind Budget has no place in this file  it belongs in policies/",
      ],
    ],
    [
      "a missing composition, misspelt",
      edited(PROD, "compositions/web", "compositions/wbe"),
      [
        `REF_MISSING envs/prod/environment.yaml:9:12  there is no composition at "compositions/wbe"  did you mean "compositions/web"?`,
      ],
    ],
    [
      "a missing composition, unlike any",
      edited(WEB, "- ref: compositions/net", "- ref: foundation/everything"),
      [
        `REF_MISSING compositions/web.yaml:15:12  there is no composition at "foundation/everything"  add foundation/everything.yaml, or correct the reference`,
      ],
    ],
    [
      "a composition outside the repository",
      edited(WEB, "- ref: compositions/net", "- ref: ../net"),
      [
        `REF_OUTSIDE compositions/web.yaml:15:12  "../net" is not a path inside the repository  write it from the root of the repository, without .. and without a leading /`,
      ],
    ],
    [
      "a composition by absolute path",
      edited(PROD, "compositions/web", "/etc/passwd"),
      [
        `REF_OUTSIDE envs/prod/environment.yaml:9:12  "/etc/passwd" is not a path inside the repository  write it from the root of the repository, without .. and without a leading /`,
      ],
    ],
    [
      "a module outside the repository",
      edited(WEB, "modules/app", "modules/../../app"),
      [
        `REF_OUTSIDE compositions/web.yaml:8:12  "modules/../../app" is not a path inside the repository  write it from the root of the repository, without .. and without a leading /`,
      ],
    ],
    [
      "a module in Git's own folder",
      edited(WEB, "modules/app", ".git/hooks"),
      [
        `REF_OUTSIDE compositions/web.yaml:8:12  ".git/hooks" is not a path inside the repository  write it from the root of the repository, without .. and without a leading /`,
      ],
    ],
    [
      "a module by a protocol we do not speak",
      edited(WEB, "modules/app", "https://example.com/x.zip"),
      [
        `REF_INVALID compositions/web.yaml:8:12  "https://example.com/x.zip" is not a module reference  write a folder of this repository, registry://… or git::…`,
      ],
    ],
    [
      "a registry module without version",
      edited(WEB, "modules/app", "registry://ns/name/aws"),
      [
        `REF_INVALID compositions/web.yaml:8:12  "registry://ns/name/aws" is not a registry reference  write registry://<namespace>/<name>/<system>@<version>`,
      ],
    ],
    [
      "a Git module without commit",
      edited(WEB, "modules/app", "git::https://example.com/x.git//app"),
      [
        `REF_UNPINNED compositions/web.yaml:8:12  "git::https://example.com/x.git//app" names no commit  write git::<url>//<folder>?ref=<commit>`,
      ],
    ],
    [
      "a Git module at a branch",
      edited(WEB, "modules/app", "git::https://example.com/x.git//app?ref=main"),
      [`REF_UNPINNED compositions/web.yaml:8:12  warning: "main" can move  name a commit by its full hash`],
    ],
    [
      "a Git module that is an option",
      edited(WEB, "modules/app", "git::--upload-pack=touch//app?ref=x"),
      [
        `REF_INVALID compositions/web.yaml:8:12  "git::--upload-pack=touch//app?ref=x" is not a Git reference  write git::<url>//<folder>?ref=<commit>`,
      ],
    ],
    [
      "two modules of one name",
      edited(NET, "{name: dns, ref: modules/dns,", "{name: vpc, ref: modules/dns,"),
      [
        'MODULE_REPEATED compositions/net.yaml:7:14  a second module is named "vpc"  the first is at compositions/net.yaml:6:7; give this one another name',
      ],
    ],
    [
      "a composition that depends on itself",
      edited(WEB, "- ref: compositions/net", "- ref: compositions/web"),
      ['CYCLE compositions/web.yaml:15:12  "web" depends on itself: web → web  remove this reference'],
    ],
    [
      "compositions that depend on each other",
      edited(NET, "  modules:", "  dependencies: [{ref: compositions/web}]\n  modules:"),
      [
        "CYCLE compositions/net.yaml:7:7  these units depend on each other: prod/net/vpc → prod/web/app → prod/net/vpc  remove one of the references or dependencies",
      ],
    ],
    [
      "modules that feed each other",
      edited(
        NET,
        "{name: vpc, ref: modules/vpc}",
        '{name: vpc, ref: modules/vpc, inputs: {zone: "${outputs.net.dns.zone}"}}',
      ),
      [
        "CYCLE compositions/net.yaml:6:7  these units depend on each other: prod/net/vpc → prod/net/dns → prod/net/vpc  remove one of the references or dependencies",
      ],
    ],
    [
      "a module that feeds itself",
      edited(NET, "outputs.net.vpc.id", "outputs.net.dns.id"),
      [
        "CYCLE compositions/net.yaml:7:7  these units depend on each other: prod/net/dns → prod/net/dns  remove one of the references or dependencies",
      ],
    ],
    [
      "an output of no composition",
      edited(WEB, "outputs.net.vpc", "outputs.nte.vpc"),
      ['COMPOSITION_MISSING compositions/web.yaml:10:18  there is no composition "nte"  did you mean "net"?'],
    ],
    [
      "an output of no module",
      edited(WEB, "outputs.net.vpc", "outputs.net.vcp"),
      ['MODULE_MISSING compositions/web.yaml:10:18  the composition "net" has no module "vcp"  did you mean "vpc"?'],
    ],
    [
      "an output of no environment",
      edited(WEB, "outputs.net.vpc", "outputs.prdo:net.vpc"),
      [
        'ENVIRONMENT_MISSING compositions/web.yaml:10:18  there is no environment "prdo" (environment "prod")  did you mean "prod"?',
      ],
    ],
    [
      "an output of what the environment does not have",
      edited(PROD, "    - ref: compositions/net\n", ""),
      [
        'OUTPUT_UNBOUND compositions/web.yaml:10:18  the environment "prod" has no composition "net" (environment "prod")  add it to the environment\'s compositions, or name another environment: ${outputs.<environment>:net.…}',
        'DEPENDENCY_ABSENT compositions/web.yaml:15:12  warning: the environment "prod" does not assemble the dependency "net"  add it to the compositions of envs/prod/environment.yaml; until then nothing is ordered by it there',
      ],
    ],
    [
      "an output of a region that is not there",
      edited(PROD, "- ref: compositions/net", "- ref: compositions/net\n      regions: [eu, us]"),
      [
        'OUTPUT_UNBOUND compositions/web.yaml:10:18  "net" needs a region in "prod" (environment "prod")  write net@eu; its regions are eu, us',
      ],
    ],
    [
      "a region that the other does not have",
      edited(WEB, "outputs.net.vpc", "outputs.net@mars.vpc"),
      [
        'OUTPUT_UNBOUND compositions/web.yaml:10:18  "net" is not in region "mars" in "prod" (environment "prod")  it has no regions there; write net',
      ],
    ],
    [
      "an undefined variable",
      edited(WEB, "var.domain", "var.domian"),
      [
        'VARIABLE_UNDEFINED compositions/web.yaml:11:15  ${var.domian} is not defined (environment "prod")  did you mean "domain"?',
      ],
    ],
    [
      "an undefined parameter",
      edited(WEB, "param.size", "param.siez"),
      ['PARAMETER_UNDEFINED compositions/web.yaml:12:15  ${param.siez} is not defined  did you mean "size"?'],
    ],
    [
      "a region where there is none",
      edited(WEB, "app.${var.domain}", "${region}"),
      [
        'EXPRESSION_UNDEFINED compositions/web.yaml:11:15  ${region} has no value here (environment "prod")  give the composition regions in the environment',
      ],
    ],
    [
      "a malformed expression",
      edited(WEB, "app.${var.domain}", "app.${domain}"),
      [
        "EXPRESSION_UNKNOWN compositions/web.yaml:11:19  ${domain} means nothing  there are env, region, var, param and outputs; write $${ for the text itself",
      ],
    ],
    [
      "a parameter that nobody declared",
      edited(PROD, "size: large", "size: large, siez: x"),
      [
        'PARAMETER_UNKNOWN envs/prod/environment.yaml:10:33  the composition "web" has no parameter "siez"  did you mean "size"?',
      ],
    ],
    [
      "a parameter of another type",
      edited(PROD, "size: large", "size: 3"),
      [
        'PARAMETER_TYPE envs/prod/environment.yaml:10:26  the parameter "size" must be text, not a number  see compositions/web.yaml:5:16',
      ],
    ],
    [
      "a parameter that is not among those allowed",
      { ...edited(WEB, "{default: small}", "{default: small, allowed: [small, medium]}") },
      [
        'PARAMETER_TYPE envs/prod/environment.yaml:10:26  the parameter "size" must be one of "small", "medium", not "large"  see compositions/web.yaml:5:16',
      ],
    ],
    [
      "a default of another type",
      edited(WEB, "{default: small}", "{type: number, default: small}"),
      [
        'PARAMETER_TYPE compositions/web.yaml:5:46  the default of the parameter "size" must be a number, not text  correct the default, or the parameter\'s type',
        'PARAMETER_TYPE envs/prod/environment.yaml:10:26  the parameter "size" must be a number, not text  see compositions/web.yaml:5:16',
      ],
    ],
    [
      "a parameter without value",
      { ...edited(WEB, "{default: small}", "{}"), ...edited(PROD, "      parameters: {size: large}\n", "") },
      [
        'PARAMETER_MISSING envs/prod/environment.yaml:9:12  the parameter "size" of the composition "web" has no value  add parameters: {size: …} here, or a default to the composition',
      ],
    ],
    [
      "a composition assembled twice",
      edited(PROD, "    - ref: compositions/web\n", "    - ref: compositions/net.yaml\n    - ref: compositions/web\n"),
      [
        'ASSEMBLY_REPEATED envs/prod/environment.yaml:9:12  the composition "net" is assembled twice  keep one entry for each region',
      ],
    ],
    [
      "a region assembled twice",
      edited(PROD, "      parameters: {size: large}\n", "      regions: [eu, us, eu]\n"),
      [
        'ASSEMBLY_REPEATED envs/prod/environment.yaml:10:25  the composition "web" is assembled twice in region "eu"  keep one entry for each region',
      ],
    ],
    [
      "a secrets backend that is not there",
      edited(WEB, "secret://vault", "secret://valut"),
      [
        'SECRET_BACKEND_MISSING compositions/web.yaml:13:19  there is no secrets backend "valut"  did you mean "vault"?',
      ],
    ],
    [
      "a malformed secret reference",
      edited(WEB, "secret://vault/kv/web#pw", "secret://vault"),
      [
        'SECRET_SYNTAX compositions/web.yaml:13:19  "secret://vault" is no secret reference  write secret://<backend>/<path>#<key>',
      ],
    ],
    [
      "an engine that is not there",
      edited(WEB, "      ref: modules/app\n", "      ref: modules/app\n      engine: terrafrom\n"),
      ['ENGINE_UNKNOWN compositions/web.yaml:9:15  there is no engine "terrafrom"  did you mean "terraform"?'],
    ],
    [
      "settings of an engine that is not there",
      edited(PROD, "  tier: production\n", "  tier: production\n  engineConfig: {terrafrom: {a: 1}}\n"),
      ['ENGINE_UNKNOWN envs/prod/environment.yaml:5:18  there is no engine "terrafrom"  did you mean "terraform"?'],
    ],
    [
      "a credential that is not there",
      edited(
        PROD,
        "  tier: production\n",
        "  tier: production\n  credentials: {aws: {planRole: aws-plan, applyRole: 'arn:aws:iam::1:role/x'}}\n",
      ),
      [
        'CREDENTIAL_MISSING envs/prod/environment.yaml:5:33  warning: .xcf.yaml has no credential "aws-plan"  add it to spec.credentials, or write the role as the cloud spells it',
      ],
    ],
    [
      "a tenant's environment that is not there",
      { ".xcf.yaml": `${SHOP[".xcf.yaml"]}  tenants: {a: {environments: [prdo]}}\n` },
      ['ENVIRONMENT_MISSING .xcf.yaml:4:32  there is no environment "prdo"  did you mean "prod"?'],
    ],
    [
      "an environment of two tenants",
      { ".xcf.yaml": `${SHOP[".xcf.yaml"]}  tenants: {a: {environments: [prod]}, b: {environments: [prod]}}\n` },
      [
        'ENVIRONMENT_CLAIMED .xcf.yaml:4:59  the environment "prod" belongs to "a" and to "b"  an environment belongs to one tenant',
      ],
    ],
    [
      "a strategy written twice",
      edited(
        WEB,
        "  dependencies:\n",
        "  reconcile: {strategy: periodic}\n  reconcileStrategy: continuous\n  dependencies:\n",
      ),
      [
        "SETTING_TWICE compositions/web.yaml:15:3  reconcile.strategy and reconcileStrategy decide the same  keep one of them",
      ],
    ],
    [
      "a gate written twice",
      edited(
        WEB,
        "      ref: modules/app\n",
        "      ref: modules/app\n      approvalPolicy: none\n      policies: {approval: forced}\n",
      ),
      [
        "SETTING_TWICE compositions/web.yaml:10:18  approvalPolicy and policies.approval decide the same  keep one of them",
      ],
    ],
    [
      "a Foundation gate loosened",
      edited(NET, "  modules:", "  approvalPolicy: automatic\n  modules:"),
      [
        "GATE_LOOSENED compositions/net.yaml:5:3  warning: gate automatic instead of forced would loosen the gate of Foundation and is ignored  remove it, or give the composition another lifecycle",
      ],
    ],
    [
      "no window where one is asked",
      edited(PROD, '  windows: [{from: "22:00", to: "05:00"}]\n', ""),
      [
        "WINDOW_UNDECLARED envs/prod/environment.yaml:2:18  warning: Foundation asks for a change window, and none is declared for prod/net/vpc: it is open at all times  add windows to the environment or to .xcf.yaml",
      ],
    ],
    [
      "an odd frequency",
      edited(NET, "  modules:", "  changeFrequency: high\n  modules:"),
      [
        "FREQUENCY_ODD compositions/net.yaml:5:20  warning: Foundation that changes with high frequency is unusual  low is usual; perhaps another lifecycle is meant",
      ],
    ],
    [
      "a resource of another class",
      edited(WEB, "modules/app", "modules/redis"),
      [
        'RESOURCE_UNUSUAL compositions/web.yaml:8:12  warning: "redis" usually belongs to Platform, not Application  perhaps the composition\'s lifecycle is wrong, or the module belongs to another composition',
      ],
    ],
    [
      "a move that is none",
      edited(WEB, "  dependencies:\n", "  moved: [{from: a/b/c, to: app}]\n  dependencies:\n"),
      [
        'MOVE_INVALID compositions/web.yaml:14:18  "a/b/c" is no end of a move  write <composition>[@<region>]/<module>; in a composition <module> alone means its own',
      ],
    ],
    [
      "a move of what is still there",
      edited(NET, "  modules:", "  moved: [{from: vpc, to: dns}]\n  modules:"),
      [
        'MOVE_TAKEN compositions/net.yaml:5:18  prod/net/vpc cannot move to prod/net/dns, since "prod" still declares it  remove the move, or the old unit',
      ],
    ],
  ];
  for (const [name, changes, problems] of cases) test(name, () => assert.deepEqual(told(changes), problems));

  test("a module folder that is not there, where somebody can look", () => {
    const folders = new Set(["modules/vpc", "modules/dns"]);
    assert.deepEqual(told({}, { folderExists: (path) => folders.has(path) }), [
      'REF_MISSING compositions/web.yaml:8:12  there is no folder "modules/app"  add the module, or correct the reference',
    ]);
  });

  test("a composition in a folder of its own is located by the folder", () => {
    const { [WEB]: web = "" } = SHOP;
    const files = new Map(
      Object.entries({
        ...SHOP,
        "compositions/shop/composition.yml": web,
        [PROD]: (SHOP[PROD] ?? "").replace("compositions/web", "compositions/shop"),
      }),
    );
    files.delete(WEB);
    assert.deepEqual(compileMonorepo(files).problems, []);
  });

  test("what the environment does not use is checked all the same", () => {
    const changes = {
      ...edited(PROD, "    - ref: compositions/web\n      parameters: {size: large}\n", ""),
      ...edited(WEB, "outputs.net.vpc", "outputs.nte.vpc"),
    };
    assert.deepEqual(told(changes), [
      'COMPOSITION_MISSING compositions/web.yaml:10:18  there is no composition "nte"  did you mean "net"?',
    ]);
  });

  test("one mistake that several environments meet is told once", () => {
    const staging = (SHOP[PROD] ?? "").replace("name: prod", "name: staging");
    const changes = {
      ...edited(NET, "outputs.net.vpc.id", "outputs.nte.vpc.id"),
      "envs/staging/environment.yaml": staging,
    };
    assert.equal(told(changes).length, 1);
  });
});

describe("an environment's units", () => {
  function units(changes: Repository) {
    const { monorepo, problems } = compile(changes);
    assert.deepEqual(problems, []);
    const environment = monorepo.environments.get("prod");
    assert.ok(environment);
    return expandEnvironment(monorepo, environment);
  }

  test("are compositions × regions × modules, with resolved inputs and edges from outputs and dependencies", () => {
    const expansion = units({});
    assert.deepEqual(
      expansion.units.map((unit) => unit.address),
      ["prod/net/vpc", "prod/net/dns", "prod/web/app"],
    );
    assert.deepEqual(expansion.units[2]?.inputs, {
      subnets: { $xcf: "output", address: "prod/net/vpc", output: "subnets" },
      host: "app.example.com",
      size: "large",
      password: { $xcf: "secret", ref: "secret://vault/kv/web#pw" },
    });
    assert.deepEqual(expansion.edges, [
      { from: "prod/net/vpc", to: "prod/net/dns" },
      { from: "prod/net/vpc", to: "prod/web/app" },
      { from: "prod/net/dns", to: "prod/web/app" },
    ]);
  });

  test("bind outputs of their own region, else of the instance without one", () => {
    const regions = (SHOP[PROD] ?? "").replace(
      "- ref: compositions/web",
      "- ref: compositions/web\n      regions: [eu, us]",
    );
    const one = units({ [PROD]: regions });
    assert.deepEqual(one.units.map((unit) => [unit.address, JSON.stringify(unit.inputs.subnets)]).slice(2), [
      ["prod/web@eu/app", '{"$xcf":"output","address":"prod/net/vpc","output":"subnets"}'],
      ["prod/web@us/app", '{"$xcf":"output","address":"prod/net/vpc","output":"subnets"}'],
    ]);
    const both = units({
      [PROD]: regions.replace("- ref: compositions/net", "- ref: compositions/net\n      regions: [eu, us]"),
    });
    assert.deepEqual(
      both.edges.filter((edge) => edge.to.startsWith("prod/web")).map((edge) => `${edge.from} ${edge.to}`),
      [
        "prod/net@eu/vpc prod/web@eu/app",
        "prod/net@eu/dns prod/web@eu/app",
        "prod/net@us/vpc prod/web@us/app",
        "prod/net@us/dns prod/web@us/app",
      ],
    );
  });

  test("reach into another environment by its name", () => {
    const shared =
      "kind: Environment\nmetadata: {name: shared}\nspec:\n  tier: staging\n  windows: [{from: '00:00', to: '00:00'}]\n  compositions: [{ref: compositions/net}]\n";
    const changes = {
      ...edited(WEB, "outputs.net.vpc", "outputs.shared:net.vpc"),
      "envs/shared/environment.yaml": shared,
    };
    assert.deepEqual(
      units(changes).edges.map((edge) => `${edge.from} ${edge.to}`),
      [
        "prod/net/vpc prod/net/dns",
        "prod/net/vpc prod/web/app",
        "prod/net/dns prod/web/app",
        "shared/net/vpc prod/web/app",
      ],
    );
  });

  test("have the settings of every layer merged for their engine", () => {
    const changes = {
      ".xcf.yaml": `${SHOP[".xcf.yaml"]}  engines: {terraform: {config: {parallelism: 4, env: {A: platform, B: platform}}}}\n`,
      ...edited(
        PROD,
        "  tier: production\n",
        '  tier: production\n  engineConfig: {terraform: {varFiles: ["${env.name}.tfvars"], env: {B: environment}}}\n',
      ),
      ...edited(
        WEB,
        "      ref: modules/app\n",
        "      ref: modules/app\n      engineConfig: {terraform: {parallelism: 9}}\n",
      ),
    };
    assert.deepEqual(units(changes).units[2]?.engineConfig, {
      terraform: { parallelism: 9, env: { A: "platform", B: "environment" }, varFiles: ["prod.tfvars"] },
    });
  });
});

describe("what a small repository could multiply", () => {
  const regions = (count: number): string => Array.from({ length: count }, (_, index) => `r${index}`).join(", ");
  const assembled = (name: string): string => `- {ref: compositions/${name}, regions: [${regions(100)}]}`;
  const environment = (names: readonly string[]): Repository => ({
    [PROD]: `kind: Environment\nmetadata: {name: prod}\nspec:\n  tier: production\n  compositions: [${names.map((name) => assembled(name).slice(2)).join(", ")}]\n`,
  });
  const wide = (name: string, modules: number, more = "", inputs = ""): Repository => ({
    [`compositions/${name}.yaml`]: `kind: Composition\nmetadata: {name: ${name}}\nspec:\n  lifecycle: Config\n${more}  modules: [${Array.from({ length: modules }, (_, index) => `{name: m${index}, ref: modules/a${inputs}}`).join(", ")}]\n`,
  });

  test("units", () => {
    const { problems, expansions } = compile({ ...wide("a", 1_000), ...wide("b", 1_000), ...environment(["a", "b"]) });
    assert.equal(expansions.get("prod")?.units.length, 100_000);
    assert.deepEqual(
      problems.map((problem) => [problem.code, problem.message]),
      [["LIMIT_EXCEEDED", 'more than 100000 units (environment "prod")']],
    );
  });

  test("dependencies", () => {
    const { problems } = compile({
      ...wide("a", 200),
      ...wide("b", 200, "  dependencies: [{ref: compositions/a}]\n"),
      ...environment(["a", "b"]),
    });
    assert.deepEqual(
      problems.map((problem) => problem.message),
      ['more than 1000000 dependencies between units (environment "prod")'],
    );
  });

  test("input values", () => {
    const ten = (name: string): string => `[${Array(10).fill(`*${name}`).join(", ")}]`;
    const inputs = `, inputs: {a: &a [1,1,1,1,1,1,1,1,1,1], b: &b ${ten("a")}, c: &c ${ten("b")}, d: &d ${ten("c")}, e: ${ten("d")}}`;
    const { problems } = compile({ ...wide("a", 1, "", inputs), ...environment(["a"]) });
    assert.deepEqual(
      problems.map((problem) => problem.message),
      ['more than 10000000 input values (environment "prod")'],
    );
  });
});

test("a file that did not change is not parsed again, one that did is", () => {
  const cache: ParseCache = new Map();
  const first = compile({}, { cache });
  const changed = compile(edited(WEB, "lifecycle: Application", "lifecycle: Config"), { cache });
  assert.equal(changed.monorepo.compositions.get("net"), first.monorepo.compositions.get("net"));
  assert.equal(changed.monorepo.compositions.get("web")?.value.spec.lifecycle, "Config");
});
