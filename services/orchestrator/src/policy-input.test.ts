import assert from "node:assert/strict";
import { test } from "node:test";
import { decideRoute } from "@xcloudflow/model/route-layers";
import type { ResourceChange, UnitPlan } from "@xcloudflow/model/unit-plan";
import { z } from "zod";
import { describeForPolicy, describeWholeForPolicy, type PolicyScope, type PolicyUnit } from "./policy-input.ts";

const SCOPE: PolicyScope = {
  environment: "prod",
  repository: "/repository",
  commit: "c".repeat(40),
  authors: ["author@example.com"],
  governance: {
    commit: "",
    governingDigest: "g",
    proposedDigest: "g",
    policyRevisions: ["r"],
    changes: [],
    approvals: { groups: [], quorum: 1, selfApproval: false, declared: true },
    tier: "production",
    concurrency: 2,
    conditions: [],
  },
};

function unit(address: string): PolicyUnit {
  const { route } = decideRoute({ address, lifecycle: { value: "Platform", at: "c.yaml:4:3" }, layers: [] });
  return { address, route, inputs: {}, reason: "new" };
}

function plan(address: string, own: Partial<UnitPlan> = {}): UnitPlan {
  return {
    address,
    status: "planned",
    engine: "terraform",
    engineVersion: "1.11.0",
    destroy: false,
    summary: { create: 1, update: 0, replace: 0, delete: 0, noop: 0 },
    changes: [],
    drift: [],
    outputs: {},
    locks: {},
    prior: { serial: 0, lineage: "" },
    hazards: [],
    ...own,
  };
}

function change(address: string, type: string, own: Partial<ResourceChange> = {}): ResourceChange {
  return {
    address,
    type,
    actions: ["create"],
    before: null,
    after: {},
    unknown: {},
    sensitive: {},
    replacePaths: [],
    ...own,
  };
}

const inputSchema = z.object({ resource_changes: z.array(z.looseObject({ change: z.unknown() })) });

function described(change: ResourceChange, own: Partial<UnitPlan> = {}): object {
  const address = "prod/shop/db";
  const input = inputSchema.parse(
    describeForPolicy(SCOPE, unit(address), plan(address, { ...own, changes: [change] })),
  );
  const { change: _, ...members } = input.resource_changes[0] ?? { change: undefined };
  return members;
}

test("a resource has the members of Terraform's JSON plan, and no others where they do not apply", () => {
  const provider = "registry.terraform.io/hashicorp/aws";
  assert.deepEqual(described(change("aws_vpc.main", "aws_vpc", { provider })), {
    address: "aws_vpc.main",
    mode: "managed",
    type: "aws_vpc",
    name: "main",
    provider_name: provider,
  });
  assert.deepEqual(
    described(change('module.net["a.b"].aws_vpc.main[2]', "aws_vpc", { provider, previousAddress: "aws_vpc.main[2]" })),
    {
      address: 'module.net["a.b"].aws_vpc.main[2]',
      previous_address: "aws_vpc.main[2]",
      module_address: 'module.net["a.b"]',
      mode: "managed",
      type: "aws_vpc",
      name: "main",
      index: 2,
      provider_name: provider,
    },
  );
  assert.deepEqual(described(change('data.aws_ami.this["x"]', "aws_ami", { actions: ["read"] })), {
    address: 'data.aws_ami.this["x"]',
    mode: "data",
    type: "aws_ami",
    name: "this",
    index: "x",
    provider_name: "terraform",
  });
});

test("a resource of another engine keeps the name its engine gives it", () => {
  assert.deepEqual(described(change("Deployment.web", "apps/v1/Deployment"), { engine: "kubernetes" }), {
    address: "Deployment.web",
    mode: "managed",
    type: "apps/v1/Deployment",
    name: "web",
    provider_name: "kubernetes",
  });
});

test("the ChangeSet as a whole has its units and their costs in sum, or none where they cannot be added", () => {
  const subject = (name: string, cost?: UnitPlan["cost"]) => {
    const address = `prod/shop/${name}`;
    return { unit: unit(address), plan: plan(address, cost === undefined ? {} : { cost }) };
  };
  const wholeSchema = z.object({ xcf: z.looseObject({ units: z.array(z.looseObject({})), cost: z.unknown() }) });
  const whole = (...subjects: ReturnType<typeof subject>[]) =>
    wholeSchema.parse(describeWholeForPolicy(SCOPE, subjects)).xcf;
  const usd = (monthlyDelta: string) => ({ monthlyDelta, currency: "USD" });
  const { units, cost, ...about } = whole(subject("a", usd("1.10")), subject("b", usd("2.205")), subject("c"));
  assert.deepEqual(about, {
    changeSet: true,
    environment: "prod",
    tier: "production",
    repository: "/repository",
    commit: SCOPE.commit,
    authors: SCOPE.authors,
  });
  assert.deepEqual(cost, usd("3.305"));
  assert.deepEqual(units[0], {
    unit: "prod/shop/a",
    lifecycle: "Platform",
    changeFrequency: "medium",
    engine: "terraform",
    status: "planned",
    reason: "new",
    summary: { create: 1, update: 0, replace: 0, delete: 0, noop: 0 },
    destroy: false,
    cost: usd("1.10"),
  });
  assert.equal(whole(subject("a")).cost, null);
  assert.equal(whole(subject("a", usd("1")), subject("b", { monthlyDelta: "1", currency: "EUR" })).cost, null);
});
