import { EXIT, type ExitCode } from "../exit-code.ts";
import { changeSetOutputSchema, readChangeSet } from "../output/change-set-output.ts";
import { openSession } from "../session.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";

export interface VoteOptions extends CommonOptions {
  readonly digest?: string;
  readonly message?: string;
}

/** Approves or rejects exactly the digest that is shown, or the one insisted on. */
export async function vote(
  surroundings: Surroundings,
  decision: "approve" | "reject",
  id: string,
  options: VoteOptions,
): Promise<ExitCode> {
  const session = await openSession(surroundings, options);
  try {
    const { changeSet: shown } = await session.api.getChangeSet({ id }, session.call);
    if (shown === undefined) return EXIT.failed;
    const { id: changeSet, digest } = readChangeSet(shown);
    const request = { changeSet, digest: options.digest ?? digest, comment: options.message ?? "" };
    const answer =
      decision === "approve"
        ? await session.api.approve(request, session.call)
        : await session.api.reject(request, session.call);
    if (answer.changeSet === undefined) return EXIT.failed;
    const after = readChangeSet(answer.changeSet);
    if (options.output === "json") printJson(surroundings.terminal, changeSetOutputSchema, after);
    else {
      const open = answer.changeSet.gates.filter((gate) => !gate.satisfied);
      const missing = open.map((gate) => `${gate.given} of ${gate.needed} approvals so far`).join("; ");
      surroundings.terminal.out(
        `${decision === "approve" ? "Approved" : "Rejected"} ${after.id} (${request.digest}): ${after.phase}${missing === "" ? "" : `, ${missing}`}\n`,
      );
    }
    return EXIT.done;
  } finally {
    session.close();
  }
}
