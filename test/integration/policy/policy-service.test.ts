import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { tenantScope } from "@xcloudflow/database/scope";
import { policyVerdictSchema } from "@xcloudflow/model/change-set";
import { decodeDocument, encodeDocument } from "@xcloudflow/model/parse-json";
import { ProblemsFoundError } from "@xcloudflow/model/problems-found-error";
import { toLogEvent } from "@xcloudflow/policy/decision-log";
import { selectDecisions } from "@xcloudflow/policy/decision-store";
import { policySchema } from "@xcloudflow/policy/migrations/migrations";
import type { PolicyTables } from "@xcloudflow/policy/migrations/policy-tables";
import { forEachDatabase } from "../../support/databases.ts";
import { requireEngine } from "../../support/engines.ts";
import { file, openPolicy, orchestrator, type PolicyFixture, person, planOf } from "./policy-fixture.ts";

const opa = requireEngine("opa");

const NO_DESTROY = file(
  "policies/destroy.rego",
  `package main

deny contains sprintf("%s would be destroyed", [change.address]) if {
	some change in input.resource_changes
	"delete" in change.change.actions
}
`,
);
const NO_TAGS = file(
  "policies/tags.rego",
  `package main

warn contains {"msg": "no tags", "owner": "finops"} if {
	some change in input.resource_changes
	count(change.change.after.tags) == 0
}
`,
);
const SPEAKS = file(
  "policies/gates.rego",
  `package main

tighten contains {"gate": "forced", "groups": ["security"], "quorum": 2, "msg": "a database"} if {
	some change in input.resource_changes
	change.type == "aws_db_instance"
}

sensitive_paths contains {"resource": change.address, "path": "password"} if {
	some change in input.resource_changes
	change.type == "aws_db_instance"
}
`,
);

forEachDatabase("the policy service", [policySchema], (databases) => {
  describe("with a real OPA", { skip: opa.skip }, () => {
    let policy: PolicyFixture;
    before(() => {
      policy = openPolicy(databases.database(), { opa: { configured: opa.path } });
    });
    after(() => policy.service.close());

    async function load(...files: { path: string; content: Uint8Array }[]): Promise<string> {
      return (await policy.client.loadBundle({ files }, orchestrator("acme"))).revision;
    }

    async function evaluate(revisions: string[], subjects: { unit: string; input: Uint8Array }[], tenant = "acme") {
      const answer = await policy.client.evaluate({ revisions, subjects }, orchestrator(tenant));
      return { ...answer, verdict: decodeDocument(policyVerdictSchema, answer.verdictDocument, "verdict") };
    }

    test("denies what a policy denies and allows the rest, naming unit, rule and revision", async () => {
      const revision = await load(NO_DESTROY, NO_TAGS);
      const denied = await evaluate([revision], [planOf("prod/shop/db", "delete"), planOf("prod/shop/web", "create")]);
      assert.equal(denied.verdict.verdict, "deny");
      assert.deepEqual(denied.verdict.denials, [
        {
          unit: "prod/shop/db",
          namespace: "main",
          rule: "deny",
          message: "aws_db_instance.main would be destroyed",
          metadata: {},
          revision,
        },
      ]);
      assert.deepEqual(
        denied.verdict.warnings.map(({ unit, metadata }) => [unit, metadata]),
        [
          ["prod/shop/db", { owner: "finops" }],
          ["prod/shop/web", { owner: "finops" }],
        ],
      );
      const allowed = await evaluate([revision], [planOf("prod/shop/web", "create")]);
      assert.equal(allowed.verdict.verdict, "allow");
    });

    test("takes the stricter word of the governing and the proposed revision", async () => {
      const governing = await load(NO_DESTROY);
      const proposed = await load(NO_TAGS);
      const subject = [planOf("prod/shop/db", "delete")];
      assert.equal((await evaluate([proposed], subject)).verdict.verdict, "allow");
      for (const revisions of [
        [governing, proposed],
        [proposed, governing],
      ]) {
        const both = await evaluate(revisions, subject);
        assert.equal(both.verdict.verdict, "deny");
        assert.equal(both.verdict.warnings.length, 1);
        assert.equal(both.verdict.revision, revisions.join("+"));
      }
    });

    test("asks about the ChangeSet as a whole in its own package, and about units in main", async () => {
      const everywhere = file("policies/all.rego", 'package main\n\ndeny contains "seen by main" if true\n');
      const whole = file(
        "policies/whole.rego",
        `package changeset

deny contains sprintf("%d units go", [count(going)]) if count(going) > 1

going contains unit.unit if {
	some unit in input.xcf.units
	unit.destroy
}

tighten contains {"unit": "prod/shop/db", "msg": "with others"}
`,
      );
      const subject = (destroy: boolean) => ({
        unit: "",
        input: encodeDocument({ xcf: { units: ["a", "b"].map((unit) => ({ unit, destroy })) } }),
      });
      const revision = await load(whole);
      const denied = await evaluate([revision], [planOf("prod/shop/db", "create"), subject(true)]);
      assert.deepEqual(
        denied.verdict.denials.map(({ unit, namespace, message }) => [unit, namespace, message]),
        [[undefined, "changeset", "2 units go"]],
      );
      assert.deepEqual(
        denied.tightenings.map(({ unit, reason }) => [unit, reason]),
        [["prod/shop/db", "with others"]],
      );
      assert.equal((await evaluate([revision], [subject(false)])).verdict.verdict, "allow");

      const ordinary = await load(everywhere);
      assert.equal((await evaluate([ordinary], [subject(true)])).verdict.verdict, "allow", "main is not shown it");
      const both = await evaluate([ordinary], [planOf("prod/shop/db", "create"), subject(true)]);
      assert.deepEqual(
        both.verdict.denials.map(({ unit }) => unit),
        ["prod/shop/db"],
      );
      const database = databases.database().withTables<PolicyTables>();
      const rows = await database.transaction(tenantScope("policy", "acme", "read-decisions"), (tx) =>
        selectDecisions(tx, { decisionId: both.decisionId, limit: 10 }),
      );
      assert.deepEqual(
        rows.map(({ unit }) => unit),
        ["prod/shop/db"],
        "what nobody was asked is not logged",
      );
    });

    test("reports tightened gates and sensitive paths of each unit", async () => {
      const revision = await load(SPEAKS);
      const answer = await evaluate([revision, revision], [planOf("prod/shop/db", "create")]);
      assert.deepEqual(
        answer.tightenings.map(({ unit, gate, groups, quorum, reason }) => ({ unit, gate, groups, quorum, reason })),
        [{ unit: "prod/shop/db", gate: "forced", groups: ["security"], quorum: 2, reason: "a database" }],
      );
      assert.deepEqual(
        answer.sensitivePaths.map(({ unit, resource, path }) => ({ unit, resource, path })),
        [{ unit: "prod/shop/db", resource: "aws_db_instance.main", path: "password" }],
      );
    });

    test("refuses a bundle that uses a removed built-in, with its place, and does not keep it", async () => {
      const bad = file("policies/net.rego", 'package main\n\ndeny contains "x" if http.send({"url": "http://x"})\n');
      await assert.rejects(policy.client.loadBundle({ files: [bad] }, orchestrator("acme")), (error) => {
        assert.ok(error instanceof ProblemsFoundError);
        const [problem] = error.problems;
        assert.deepEqual(
          [problem?.file, problem?.line, problem?.code],
          ["policies/net.rego", 3, "POLICY_BUILTIN_REMOVED"],
        );
        return true;
      });
    });

    test("refuses what it cannot understand of a policy's answer instead of allowing", async () => {
      const revision = await load(
        file("policies/x.rego", 'package main\n\ntighten contains {"gate": "none"} if true\n'),
      );
      await assert.rejects(evaluate([revision], [planOf("prod/shop/db", "create")]), { code: "POLICY_RESULT_INVALID" });
      const conflict = await load(
        file(
          "policies/x.rego",
          'package main\n\na := 1 if input.xcf\n\na := 2 if input.resource_changes\n\ndeny contains "x" if a == 1\n',
        ),
      );
      await assert.rejects(evaluate([conflict], [planOf("prod/shop/db", "create")]), {
        code: "POLICY_EVALUATION_FAILED",
      });
    });

    test("does not know another tenant's bundle", async () => {
      const revision = await load(NO_DESTROY);
      await assert.rejects(evaluate([revision], [], "other"), { code: "POLICY_BUNDLE_MISSING" });
    });

    test("keeps bundles over a restart", async () => {
      const revision = await load(NO_DESTROY);
      const restarted = openPolicy(databases.database(), { opa: { configured: opa.path } });
      try {
        const subjects = [planOf("prod/shop/db", "delete")];
        const answer = await restarted.client.evaluate({ revisions: [revision], subjects }, orchestrator("acme"));
        assert.equal(decodeDocument(policyVerdictSchema, answer.verdictDocument, "verdict").verdict, "deny");
      } finally {
        await restarted.service.close();
      }
    });

    test("logs each decision in OPA's form, without its input, and masks what the bundle names", async () => {
      const mask = file(
        "policies/mask.rego",
        `package system.log

mask contains "/result/denials" if input.input.xcf.unit == "prod/shop/db"

mask contains {"op": "upsert", "path": "/result/successes", "value": "hidden"} if true
`,
      );
      const revision = await load(NO_DESTROY, mask);
      const { decisionId } = await evaluate(
        [revision],
        [planOf("prod/shop/db", "delete"), planOf("prod/shop/web", "delete")],
      );
      const database = databases.database().withTables<PolicyTables>();
      const rows = await database.transaction(tenantScope("policy", "acme", "read-decisions"), (tx) =>
        selectDecisions(tx, { decisionId, limit: 10 }),
      );
      const [db, web] = rows.map(toLogEvent);
      assert.deepEqual(db?.erased, ["/input", "/result/denials"]);
      assert.deepEqual(db?.masked, ["/result/successes"]);
      assert.deepEqual(web?.erased, ["/input"]);
      assert.equal(db?.bundles.policy.revision, revision);
      assert.equal(JSON.stringify(db).includes("would be destroyed"), false);
      assert.equal(JSON.stringify(web).includes("would be destroyed"), true);
      assert.equal(JSON.stringify([db, web]).includes("resource_changes"), false);
    });

    test("says in an event what was decided", async () => {
      const revision = await load(NO_DESTROY);
      const { decisionId } = await evaluate([revision], [planOf("prod/shop/db", "delete")]);
      const database = databases.database().withTables<PolicyTables>();
      const rows = await database.transaction(tenantScope("policy", "acme", "read-outbox"), (tx) =>
        tx.selectFrom("policy.outbox").select("event").execute(),
      );
      const events: { subject?: string; data?: unknown }[] = rows.map(({ event }) =>
        JSON.parse(Buffer.from(event).toString()),
      );
      assert.deepEqual(events.find(({ subject }) => subject === decisionId)?.data, {
        verdict: "deny",
        revisions: [revision],
        units: 1,
        denied: ["prod/shop/db"],
        denials: 1,
        warnings: 0,
        exceptions: 0,
        tightenings: 0,
      });
    });

    test("gives one revision to equal files in any order, and another to any other", async () => {
      const revision = await load(NO_DESTROY, NO_TAGS);
      assert.equal(await load(NO_TAGS, NO_DESTROY, file("policies/budget.yaml", "kind: Budget\n")), revision);
      assert.notEqual(await load(NO_DESTROY), revision);
      assert.notEqual(await load(NO_DESTROY, NO_TAGS, file("policies/data/x.yaml", "a: 1\n")), revision);
    });

    test("tests policies and judges files for a viewer, and evaluates for services only", async () => {
      const failing = file(
        "policies/a_test.rego",
        'package main_test\n\nimport data.main\n\ntest_x if "y" in main.deny with input as {}\n',
      );
      const tested = await policy.client.testPolicies({ files: [NO_DESTROY, failing] }, person("acme", "viewer"));
      assert.deepEqual(
        tested.problems.map(({ file, line, code }) => [file, line, code]),
        [["policies/a_test.rego", 5, "POLICY_TEST_FAILED"]],
      );
      const answer = await policy.client.evaluateFiles(
        { policies: [NO_DESTROY], inputs: [{ path: "plan.json", content: planOf("u", "delete").input }] },
        person("acme", "viewer"),
      );
      assert.equal(answer.failures, 1);
      await assert.rejects(policy.client.evaluate({ revisions: ["sha256:0"] }, person("acme", "admin")), {
        code: "PERMISSION_MISSING",
      });
    });
  });

  describe("without OPA", () => {
    test("allows nothing once there is a policy, and needs none where there is none", async () => {
      const policy = openPolicy(databases.database(), { opa: { configured: "/nowhere/opa" } });
      const call = orchestrator("lone");
      await assert.rejects(policy.client.loadBundle({ files: [NO_DESTROY] }, call), { code: "OPA_MISSING" });
      const { revision } = await policy.client.loadBundle({ files: [] }, call);
      const answer = await policy.client.evaluate(
        { revisions: [revision], subjects: [planOf("dev/a/b", "create")] },
        call,
      );
      assert.equal(decodeDocument(policyVerdictSchema, answer.verdictDocument, "verdict").verdict, "allow");
      await policy.service.close();
    });
  });
});
