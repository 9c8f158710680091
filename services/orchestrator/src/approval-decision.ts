import type { Caller } from "@xcloudflow/chassis/caller";
import type { Gate, Phase } from "@xcloudflow/model/change-set";
import { CodedError } from "@xcloudflow/model/coded-error";
import { type Identities, type Identity, normalizeIdentity, resolveIdentity } from "@xcloudflow/model/identities";
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
  /** Who is who; undefined where nothing is declared. */
  readonly identities: Identities | undefined;
  /** Only known people count, as approvers and as authors. */
  readonly mapped?: boolean;
  readonly approvals: readonly ApprovalRow[];
}

export interface GateState {
  readonly index: number;
  readonly satisfied: boolean;
  readonly given: number;
  readonly needed: number;
}

/** How far each approval gate is: distinct approvers of this digest, in one of its groups, who are not an author. */
export function gateStates(view: ApprovalView): GateState[] {
  const authors = authorsOf(view);
  return view.gates.flatMap((gate, index) => {
    if (gate.kind !== "approval") return [];
    const counted = new Set(
      view.approvals
        .filter((approval) => approval.decision === "approve" && approval.digest === view.changeSet.digest)
        .filter((approval) => inGroups(JSON.parse(approval.groups) as readonly string[], gate.groups))
        .map((approval) => resolveIdentity(view.identities, approval.subject).id)
        .filter((person) => gate.selfApproval || !authors.has(person)),
    );
    return [{ index, given: counted.size, needed: gate.quorum, satisfied: counted.size >= gate.quorum }];
  });
}

/** Everyone who had a hand in the change, whatever name it was done under. */
function authorsOf({ authors, identities }: ApprovalView): ReadonlySet<string> {
  return new Set(authors.map((author) => resolveIdentity(identities, author).id));
}

/** Every name the caller is known under: what they call themselves, and what who authenticated them vouches for. */
function namesOf({ subject, aliases = [] }: Caller): Identity["id"][] {
  return [subject, ...aliases].map(normalizeIdentity);
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
    subject: votingName(view, caller),
    decision: vote.decision,
    digest: changeSet.digest,
    comment: vote.comment,
    groups: JSON.stringify(caller.groups),
    assurance: caller.assurance,
    at: now,
  };
  const voter = resolveIdentity(view.identities, row.subject).id;
  const others = view.approvals.filter(({ subject }) => resolveIdentity(view.identities, subject).id !== voter);
  const approvals = [...others, row];
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
        self: authorsOf(view).has(voter),
      }),
    ],
  };
}

function refuseUnfit(view: ApprovalView, asked: readonly Extract<Gate, { kind: "approval" }>[], caller: Caller): void {
  const subject = normalizeIdentity(caller.subject);
  const identities = namesOf(caller).map((name) => resolveIdentity(view.identities, name));
  refuseUnknown(view, caller, identities);
  const authors = authorsOf(view);
  const isAuthor = identities.some(({ id }) => authors.has(id));
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

/** Bots never approve; nor does one who is two people, nor, where people must be known, one who is not. */
function refuseUnknown(view: ApprovalView, caller: Caller, identities: readonly Identity[]): void {
  const refuse = (what: string, hint: string): never => {
    throw new ApproverRefusedError(view.changeSet.id, what, hint);
  };
  const subject = normalizeIdentity(caller.subject);
  if (identities.some(({ kind }) => kind === "bot"))
    refuse(`${subject} is a bot, and bots do not approve`, "ask a person");
  const people = new Set(identities.flatMap(({ kind, id }) => (kind === "person" ? [id] : [])));
  if (view.identities !== undefined && people.size > 1)
    refuse(`${subject} is known as more than one person`, "correct `identities` in .xcf.yaml");
  if (view.mapped !== true) return;
  if (people.size === 0 || caller.assurance === "asserted")
    refuse(`nobody knows who ${subject} is, and only known people approve`, "add them to `identities` in .xcf.yaml");
  const strangers = view.authors.filter((author) => resolveIdentity(view.identities, author).kind === "unmapped");
  if (strangers.length > 0)
    refuse(
      `nobody knows who ${strangers.slice(0, 3).map(normalizeIdentity).join(", ")} is, who wrote part of this change`,
      "add them to `identities` in .xcf.yaml, as a person or a bot",
    );
}

/** The name a vote is kept under: one by which the voter is known, so that no second name makes a second vote. */
function votingName(view: ApprovalView, caller: Caller): string {
  const names = namesOf(caller);
  const known = names.find((name) => resolveIdentity(view.identities, name).kind === "person");
  return known ?? normalizeIdentity(caller.subject);
}
