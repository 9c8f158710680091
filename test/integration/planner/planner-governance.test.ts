import assert from "node:assert/strict";
import { test } from "node:test";
import type { Compilation } from "@xcloudflow/model/compilation";
import { makeRepository } from "./git-fixture-cli.ts";
import { composition, document, environment, shopFiles } from "./monorepo-fixture.ts";
import { makePlanner } from "./planner-fixture.ts";

const PROD = {
  tier: "production",
  approvals: { groups: ["leads"], quorum: 2 },
  windows: [{ days: ["Mon-Thu"], from: "22:00", to: "05:00", timezone: "UTC" }],
  budget: { monthly: 5000 },
};

function prodFiles(): Record<string, string> {
  return {
    ...shopFiles(),
    "envs/dev/environment.yaml": environment("dev", "production", ["network", "payments", "shop"], PROD),
  };
}

function gateOf(compilation: Compilation, address: string): unknown {
  return compilation.units.find((unit) => unit.address === address)?.route.gate.value;
}

test("the first commit is judged by its own rules", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit(prodFiles());
  const { governance } = await planner.compile({ repository: repository.directory });
  assert.equal(governance.commit, "");
  assert.deepEqual(governance.changes, []);
  assert.equal(governance.policyRevisions.length, 1);
  assert.equal(governance.governingDigest, governance.proposedDigest);
  assert.deepEqual(governance.approvals, { groups: ["leads"], quorum: 2, selfApproval: false, declared: true });
  assert.equal(governance.tier, "production");
});

/** What a proposal tries to loosen, and the sentence that says so. */
const LOOSENINGS: readonly {
  readonly name: string;
  readonly files: Record<string, string | null>;
  readonly says: RegExp;
}[] = [
  {
    name: "the tier",
    files: {
      "envs/dev/environment.yaml": environment("dev", "development", ["network", "payments", "shop"], {
        ...PROD,
        tier: "development",
      }),
    },
    says: /tier of "dev" changes from production to development/,
  },
  {
    name: "the approvers",
    files: {
      "envs/dev/environment.yaml": environment("dev", "production", ["network", "payments", "shop"], {
        ...PROD,
        approvals: { groups: ["interns"], quorum: 1 },
      }),
    },
    says: /approvals of "dev"/,
  },
  {
    name: "the window",
    files: {
      "envs/dev/environment.yaml": environment("dev", "production", ["network", "payments", "shop"], {
        ...PROD,
        windows: undefined,
      }),
    },
    says: /windows of "dev"/,
  },
  {
    name: "the budget",
    files: {
      "envs/dev/environment.yaml": environment("dev", "production", ["network", "payments", "shop"], {
        ...PROD,
        budget: { monthly: 9_000_000 },
      }),
    },
    says: /budget of "dev"/,
  },
  {
    name: "a policy",
    files: { "policies/main.rego": "package main\n\n# nothing denied\n" },
    says: /policies\/main\.rego is changed/,
  },
  {
    name: "a lifecycle",
    files: {
      "compositions/network.yaml": composition("network", "Ephemeral", [
        { name: "vpc", ref: "modules/vpc", inputs: {} },
      ]),
    },
    says: /lifecycle of dev\/network\/vpc changes from Foundation to Ephemeral/,
  },
  {
    name: "the platform's matrix",
    files: { ".xcf.yaml": document("Platform", "platform", { matrix: { Platform: { approvalPolicy: "none" } } }) },
    says: /\.xcf\.yaml is added/,
  },
  {
    name: "a gate of one module",
    files: {
      "compositions/payments.yaml": composition(
        "payments",
        "Platform",
        [{ name: "db", ref: "modules/db", inputs: { subnets: "x" } }],
        { approvalPolicy: "none" },
      ),
    },
    says: /gate of dev\/payments\/db changes/,
  },
];

for (const { name, files, says } of LOOSENINGS) {
  test(`loosening ${name} is said, forces a gate, and the stricter rules go on`, async () => {
    using repository = makeRepository();
    using planner = makePlanner();
    const governing = repository.commit(prodFiles());
    const before = await planner.compile({ repository: repository.directory });
    planner.apply(before);
    repository.commit(files);
    const after = await planner.compile({
      repository: repository.directory,
      governanceCommit: governing,
      only: ["dev/shop/web"],
    });
    assert.match(after.governance.changes.join("\n"), says);
    assert.equal(after.governance.tier, "production");
    assert.equal(after.governance.approvals.quorum, 2);
    assert.equal(after.governance.approvals.selfApproval, false);
    for (const { address } of before.units) {
      const [was, is] = [before, after].map(
        (compilation) => compilation.units.find((unit) => unit.address === address)?.route,
      );
      assert.equal(is?.gate.value.kind, was?.gate.value.kind, `${address} keeps its gate`);
      assert.deepEqual(is?.window?.value, was?.window?.value, `${address} keeps its window`);
    }
    const changeSet = await planner.assemble(after);
    const approval = changeSet.gates.find((gate) => gate.kind === "approval");
    assert.ok(
      approval?.kind === "approval" && approval.reasons.some((reason) => says.test(reason)),
      JSON.stringify(changeSet.gates),
    );
    assert.equal(approval.selfApproval, false);
  });
}

test("a new unit is judged by the governing platform and environment, whatever the proposal makes of them", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  const governing = repository.commit(prodFiles());
  planner.apply(await planner.compile({ repository: repository.directory }));
  repository.commit({
    ".xcf.yaml": document("Platform", "platform", { matrix: { Platform: { approvalPolicy: "none" } } }),
    "envs/dev/environment.yaml": environment("dev", "production", ["network", "payments", "shop", "cache"], PROD),
    "compositions/cache.yaml": composition("cache", "Platform", [
      { name: "redis", ref: "modules/web", inputs: { url: "u" } },
    ]),
  });
  const compilation = await planner.compile({ repository: repository.directory, governanceCommit: governing });
  assert.deepEqual(gateOf(compilation, "dev/cache/redis"), { kind: "environment", groups: ["leads"], quorum: 2 });
});

test("a unit renamed to another lifecycle is judged by the lifecycle it had", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  const governing = repository.commit(prodFiles());
  planner.apply(await planner.compile({ repository: repository.directory }));
  repository.commit({
    "envs/dev/environment.yaml": environment("dev", "production", ["net2", "payments", "shop"], {
      ...PROD,
      moved: [{ from: "network/vpc", to: "net2/vpc" }],
    }),
    "compositions/network.yaml": null,
    "compositions/net2.yaml": composition("net2", "Ephemeral", [{ name: "vpc", ref: "modules/vpc", inputs: {} }]),
    "compositions/payments.yaml": composition("payments", "Platform", [
      { name: "db", ref: "modules/db", inputs: { subnets: "${outputs.net2.vpc.subnets}" } },
    ]),
  });
  const compilation = await planner.compile({ repository: repository.directory, governanceCommit: governing });
  const unit = compilation.units.find(({ address }) => address === "dev/net2/vpc");
  assert.equal(unit?.movedFrom, "dev/network/vpc");
  assert.equal(unit?.route.lifecycle.value, "Foundation");
  assert.equal(unit?.route.gate.value.kind, "forced");
});

test("self-approval holds only where the governing commit allows it", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  const files = shopFiles();
  const governing = repository.commit({
    ...files,
    "envs/dev/environment.yaml": environment("dev", "development", ["network", "payments", "shop"], { approvals: {} }),
  });
  repository.commit({
    "envs/dev/environment.yaml": environment("dev", "development", ["network", "payments", "shop"], {
      approvals: { selfApproval: true },
    }),
  });
  const proposed = await planner.compile({ repository: repository.directory, governanceCommit: governing });
  assert.equal(proposed.governance.approvals.selfApproval, false);
  const later = await planner.compile({
    repository: repository.directory,
    governanceCommit: repository.git("rev-parse", "HEAD"),
  });
  assert.equal(later.governance.approvals.selfApproval, true);
  assert.deepEqual(later.governance.changes, []);
});

test("an environment that the governing commit does not know has nobody's word for self-approval", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  const governing = repository.commit(shopFiles());
  repository.commit({
    "envs/lab/environment.yaml": environment("lab", "development", ["network"], { approvals: { selfApproval: true } }),
  });
  const { governance } = await planner.compile({
    repository: repository.directory,
    environment: "lab",
    governanceCommit: governing,
  });
  assert.equal(governance.approvals.selfApproval, false);
  assert.deepEqual(governance.changes, ['the environment "lab" is new']);
});

test("a change of another environment's rules does not concern this one", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  const files = { ...prodFiles(), "envs/lab/environment.yaml": environment("lab", "development", ["network"], {}) };
  const governing = repository.commit(files);
  repository.commit({ "envs/lab/environment.yaml": environment("lab", "staging", ["network"], {}) });
  const { governance } = await planner.compile({
    repository: repository.directory,
    environment: "dev",
    governanceCommit: governing,
  });
  assert.deepEqual(governance.changes, []);
  assert.equal(governance.governingDigest, governance.proposedDigest);
});

test("a proposal cannot lend itself another role for planning", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  const platform = (planSecret: string): string =>
    document("Platform", "platform", {
      credentials: {
        reader: { env: { CLOUD_KEY: planSecret } },
        writer: { env: { CLOUD_KEY: "secret://env/WRITER" } },
      },
    });
  const env = (planRole: string): string =>
    environment("dev", "development", ["network", "payments", "shop"], {
      credentials: { cloud: { planRole, applyRole: "writer" } },
    });
  const governing = repository.commit({
    ...shopFiles(),
    ".xcf.yaml": platform("secret://env/READER"),
    "envs/dev/environment.yaml": env("reader"),
  });
  repository.commit({ "envs/dev/environment.yaml": env("writer") });
  const compilation = await planner.compile({ repository: repository.directory, governanceCommit: governing });
  assert.deepEqual(compilation.units[0]?.credentials, {
    plan: { CLOUD_KEY: "secret://env/READER" },
    apply: { CLOUD_KEY: "secret://env/WRITER" },
  });
  assert.match(compilation.governance.changes.join(), /credentials of "dev" change/);
});
