import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Caller, type Role, roleSchema } from "@xcloudflow/chassis/caller";
import type { Gate } from "@xcloudflow/model/change-set";
import { type Identities, knownNames } from "@xcloudflow/model/identities";
import fc from "fast-check";
import {
  type ApprovalView,
  ApproverRefusedError,
  decideApproval,
  gateStates,
  PhaseRefusedError,
} from "./approval-decision.ts";
import type { ApprovalRow, ChangeSetRow } from "./rows.ts";

const NOW = "2026-11-26T12:00:00.000Z";
const IDENTITIES: Identities = {
  domains: ["corp.example"],
  people: {
    ada: ["ada@corp.example", "ada@home.example", "github:ada-l", "sso|00u1"],
    bob: ["bob@corp.example", "github:bob", "sso|00u2"],
  },
  bots: ["ci@corp.example", "renovate"],
};
/** What Ada is called, in every place and spelling. */
const ADA = [
  "ada@corp.example",
  "ADA@Corp.Example",
  " ada@corp.example ",
  "ada+infra@corp.example",
  "ada@home.example",
  "ada+x@home.example",
  "github:ada-l",
  "GitHub:Ada-L",
  "ada-l@users.noreply.github.com",
  "1234567+ada-l@users.noreply.github.com",
  "sso|00u1",
  "\uFF41da@corp.example",
];
const BOTS = [
  "ci@corp.example",
  "renovate",
  "dependabot[bot]",
  "49699333+dependabot[bot]@users.noreply.github.com",
  "noreply@github.com",
  "service:orchestrator",
  "runner:default",
  "admin:bootstrap",
];
const gate: Gate = { kind: "approval", units: [], groups: ["leads"], quorum: 1, reasons: [], selfApproval: false };

const changeSet = (more: Partial<ChangeSetRow> = {}): ChangeSetRow => ({
  id: "cs_1",
  environment: "prod",
  repository: "/srv/infra",
  digest: "xcf1:sha256:1",
  phase: "open",
  reason: null,
  dirty: false,
  author: "eve@corp.example",
  authors: "[]",
  identities: null,
  gates: "[]",
  commit: "c",
  series: "s",
  planRun: "run_1",
  applyRun: null,
  parent: null,
  createdAt: "2026-11-26T11:00:00.000Z",
  expiresAt: "2026-11-27T11:00:00.000Z",
  ...more,
});
const view = (authors: readonly string[], more: Partial<ApprovalView> = {}): ApprovalView => ({
  changeSet: changeSet(),
  gates: [gate],
  authors,
  identities: IDENTITIES,
  mapped: true,
  approvals: [],
  ...more,
});
const caller = (subject: string, more: Partial<Caller> = {}): Caller => ({
  tenant: "t",
  subject,
  groups: ["leads"],
  roles: ["approver"],
  assurance: "token",
  ...more,
});
const vote = { decision: "approve", digest: "", comment: "" } as const;
const refused = (about: ApprovalView, who: Caller, what?: RegExp): void =>
  assert.throws(
    () => decideApproval(about, who, vote, NOW),
    (error) => error instanceof ApproverRefusedError && (what === undefined || what.test(error.what)),
    `${who.subject} approves what ${about.authors.join(", ")} wrote`,
  );
const rowOf = (about: ApprovalView, who: Caller): ApprovalRow => {
  for (const change of decideApproval(about, who, vote, NOW).changes)
    if ("put" in change && change.put === "approval") return change.row;
  throw new TypeError("no approval is written");
};

describe("an author and an approver are two people", () => {
  test("under every name, as any author, in every role and group, however the change was pushed again", () => {
    let cases = 0;
    const others = ["bob@corp.example", "ci@corp.example", "noreply@github.com"];
    for (const author of ADA)
      for (const approver of ADA)
        for (const roles of [...roleSchema.options.map((role): Role[] => [role]), ["approver", "admin"] as Role[]])
          for (const authors of [[author], [...others, author], [author, ...others]]) {
            // Known by the subject, or by what the issuer vouches for beside a subject that says nothing.
            for (const who of [
              caller(approver, { roles }),
              caller("sso|00u1", { roles, aliases: ["sso|00u1", approver] }),
            ])
              for (const mapped of [true, false]) {
                refused(view(authors, { mapped }), who, /wrote part of this change/);
                cases++;
              }
          }
    assert.ok(cases > 10_000, `${cases} cases`);
  });

  test("and somebody else's approval counts, whoever wrote it with whatever help", () => {
    for (const author of ADA)
      for (const bot of BOTS)
        assert.equal(decideApproval(view([author, bot]), caller("bob@corp.example"), vote, NOW).phase, "approved");
  });

  test("a bot approves nothing, and neither does who hides behind one", () => {
    for (const bot of BOTS)
      for (const mapped of [true, false]) {
        refused(view(["ada@corp.example"], { mapped }), caller(bot), /bot/);
        refused(view(["bob@corp.example"], { mapped }), caller("ada@corp.example", { aliases: [bot] }), /bot/);
      }
  });

  test("nobody approves whom nobody knows, and nothing that a stranger wrote", () => {
    for (const stranger of [
      "sso|00u9",
      "github:mallory",
      "mallory@gmail.example",
      "root",
      "corp.example",
      "@corp.example",
    ]) {
      refused(view(["bob@corp.example"]), caller(stranger), /nobody knows who/);
      refused(view(["bob@corp.example", stranger]), caller("ada@corp.example"), /nobody knows who/);
    }
    refused(view(["bob@corp.example"]), caller("ada@corp.example", { assurance: "asserted" }), /nobody knows who/);
    refused(view(["eve@corp.example"]), caller("ada@corp.example", { aliases: ["bob@corp.example"] }), /more than one/);
    // Where nothing is declared an address is its own person, and what is no address is nobody.
    const undeclared = { identities: undefined };
    refused(view(["bob@corp.example"], undeclared), caller("sso|00u1"), /nobody knows who/);
    assert.equal(
      decideApproval(view(["bob@corp.example"], undeclared), caller("ada@x.example"), vote, NOW).phase,
      "approved",
    );
  });

  test("a role or group that is gained later makes no author an approver, and one that is lost leaves no vote", () => {
    const about = view(["ada@corp.example"]);
    refused(about, caller("ada@home.example", { roles: ["viewer"], groups: [] }));
    refused(about, caller("ada@home.example", { roles: ["admin"], groups: ["leads"] }), /wrote part/);
    refused(about, caller("bob@corp.example", { groups: [] }), /none of the groups/);
  });

  test("a vote that was given before its giver had a hand in the change counts no more", () => {
    const approvals = [rowOf(view(["bob@corp.example"]), caller("sso|00u1", { aliases: ["ada@corp.example"] }))];
    assert.equal(gateStates(view(["bob@corp.example"], { approvals }))[0]?.satisfied, true);
    for (const author of ADA) {
      const pushed = view(["bob@corp.example", author], { approvals });
      assert.equal(gateStates(pushed)[0]?.satisfied, false, author);
    }
  });

  test("a change that is pushed again takes the earlier vote for nothing", () => {
    const approvals = [rowOf(view(["bob@corp.example"]), caller("ada@corp.example"))];
    const again = view(["bob@corp.example"], { approvals, changeSet: changeSet({ digest: "xcf1:sha256:2" }) });
    assert.equal(gateStates(again)[0]?.given, 0);
    const superseded = view([], { changeSet: changeSet({ phase: "superseded" }) });
    assert.throws(() => decideApproval(superseded, caller("ada@corp.example"), vote, NOW), PhaseRefusedError);
  });

  test("two names of one person are one vote", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...ADA), { minLength: 1, maxLength: 6 }), (names) => {
        let approvals: readonly ApprovalRow[] = [];
        const two = { gates: [{ ...gate, quorum: 2 }] };
        for (const name of names) {
          const about = view(["eve@corp.example"], { ...two, approvals });
          const decision = decideApproval(about, caller(name), vote, NOW);
          assert.equal(decision.phase, "open");
          approvals = [...approvals, rowOf(about, caller(name))];
        }
        assert.equal(gateStates(view(["eve@corp.example"], { ...two, approvals }))[0]?.given, 1);
      }),
    );
  });

  test("who asks for a plan is its author under the names they are known by", () => {
    assert.deepEqual(knownNames(IDENTITIES, ["sso|00u7", "ada@corp.example", "x"]), ["ada@corp.example"]);
    assert.deepEqual(knownNames(IDENTITIES, ["sso|00u7", "x"]), ["sso|00u7"]);
    assert.deepEqual(knownNames(undefined, ["ada"]), ["ada"]);
  });
});
