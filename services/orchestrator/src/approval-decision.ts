import type { Caller } from "@xcloudflow/chassis/caller";
import type { Gate, Phase } from "@xcloudflow/model/change-set";
import { CodedError } from "@xcloudflow/model/coded-error";
import type { Change } from "./decision.ts";
import { draftEvent } from "./orchestrator-events.ts";
import type { ApprovalRow, ChangeSetRow } from "./rows.ts";

/** Thrown when somebody who may not decide on a ChangeSet tries to. */
export class ApproverRefusedError extends CodedError {
  constructor(changeSet: string, what: string, hint: string) {
    super("APPROVER_REFUSED", "forbidden", { where: changeSet, what, hint });
  }
}

/** Thrown when an approval names another digest than the ChangeSet's. */
export class DigestMismatchError extends CodedError {
  constructor(changeSet: string, shown: string, actual: string) {
    super("DIGEST_MISMATCH", "stale", {
      where: changeSet,
      what: `the digest you name (${shown}) is not this ChangeSet's (${actual})`,
      hint: `look at it again with \`xcf show ${changeSet}\``,
    });
  }
}

/** Thrown when a ChangeSet is in a phase that takes no decision or cannot be applied. */
export class PhaseRefusedError extends CodedError {
  readonly phase: Phase;

  constructor(changeSet: string, phase: Phase, reason: string | null) {
    super("CHANGESET_PHASE_REFUSED", phase === "denied" ? "denied" : "stale", {
      where: changeSet,
      what: `it is ${phase}${reason === null ? "" : `: ${reason}`}`,
      hint: phase === "denied" ? "change what policy denies and plan again" : "plan again: `xcf plan`",
    });
    this.phase = phase;
  }
}

export interface ApprovalView {
  readonly changeSet: ChangeSetRow;
  readonly gates: readonly Gate[];
  readonly authors: readonly string[];
  readonly approvals: readonly ApprovalRow[];
}

export interface GateState {
  readonly index: number;
  readonly satisfied: boolean;
  readonly given: number;
  readonly needed: number;
}

/** Identities are compared as lower-case text without surrounding space, so that an alias in capitals stays the author. */
export function normalizeIdentity(subject: string): string {
  return subject.trim().toLowerCase();
}

/** How far each approval gate is: distinct approvers of this digest, in one of its groups, who are not an author. */
export function gateStates(view: ApprovalView): GateState[] {
  const authors = new Set(view.authors.map(normalizeIdentity));
  return view.gates.flatMap((gate, index) => {
    if (gate.kind !== "approval") return [];
    const counted = new Set(
      view.approvals
        .filter((approval) => approval.decision === "approve" && approval.digest === view.changeSet.digest)
        .filter((approval) => inGroups(JSON.parse(approval.groups) as readonly string[], gate.groups))
        .map((approval) => normalizeIdentity(approval.subject))
        .filter((subject) => gate.selfApproval || !authors.has(subject)),
    );
    return [{ index, given: counted.size, needed: gate.quorum, satisfied: counted.size >= gate.quorum }];
  });
}

function inGroups(mine: readonly string[], wanted: readonly string[]): boolean {
  return wanted.length === 0 || mine.some((group) => wanted.includes(group));
}

/**
 * Takes one person's decision on exactly this digest.
 *
 * @throws {PhaseRefusedError} when the ChangeSet takes no decisions any more.
 * @throws {DigestMismatchError} when the caller looked at something else.
 * @throws {ApproverRefusedError} when the caller is an author or in none of the groups that are asked.
 */
export function decideApproval(
  view: ApprovalView,
  caller: Caller,
  vote: { readonly decision: "approve" | "reject"; readonly digest: string; readonly comment: string },
  now: string,
): { readonly changes: readonly Change[]; readonly phase: Phase } {
  const { changeSet } = view;
  if (changeSet.phase !== "open" && changeSet.phase !== "approved")
    throw new PhaseRefusedError(changeSet.id, changeSet.phase, changeSet.reason);
  if (now >= changeSet.expiresAt)
    throw new PhaseRefusedError(changeSet.id, "stale", `it expired at ${changeSet.expiresAt}`);
  if (vote.digest !== "" && vote.digest !== changeSet.digest)
    throw new DigestMismatchError(changeSet.id, vote.digest, changeSet.digest);
  const asked = view.gates.filter((gate) => gate.kind === "approval");
  if (vote.decision === "approve") refuseUnfit(view, asked, caller);

  const row: ApprovalRow = {
    changeSet: changeSet.id,
    subject: normalizeIdentity(caller.subject),
    decision: vote.decision,
    digest: changeSet.digest,
    comment: vote.comment,
    groups: JSON.stringify(caller.groups),
    assurance: caller.assurance,
    at: now,
  };
  const approvals = [...view.approvals.filter((approval) => approval.subject !== row.subject), row];
  const phase: Phase =
    vote.decision === "reject"
      ? "rejected"
      : gateStates({ ...view, approvals }).every((gate) => gate.satisfied)
        ? "approved"
        : "open";
  return {
    phase,
    changes: [
      { put: "approval", row },
      ...(phase === changeSet.phase
        ? []
        : [
            {
              put: "changeSet",
              row: { ...changeSet, phase, reason: vote.decision === "reject" ? `rejected by ${row.subject}` : null },
            } as const,
          ]),
      draftEvent("approval", vote.decision === "approve" ? "given" : "rejected", changeSet.id, row.subject, {
        digest: changeSet.digest,
        assurance: caller.assurance,
        self: view.authors.map(normalizeIdentity).includes(row.subject),
      }),
    ],
  };
}

function refuseUnfit(view: ApprovalView, asked: readonly Extract<Gate, { kind: "approval" }>[], caller: Caller): void {
  const subject = normalizeIdentity(caller.subject);
  const isAuthor = view.authors.map(normalizeIdentity).includes(subject);
  if (isAuthor && !asked.some((gate) => gate.selfApproval)) {
    throw new ApproverRefusedError(
      view.changeSet.id,
      `${subject} wrote part of this change and cannot approve it`,
      "ask somebody who did not",
    );
  }
  if (asked.length > 0 && !asked.some((gate) => inGroups(caller.groups, gate.groups))) {
    const groups = [...new Set(asked.flatMap((gate) => gate.groups))].join(", ");
    throw new ApproverRefusedError(
      view.changeSet.id,
      `${subject} is in none of the groups that are asked: ${groups}`,
      "ask one of their members",
    );
  }
}
