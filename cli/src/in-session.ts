import type { ExitCode } from "./exit-code.ts";
import { openSession, type Session } from "./session.ts";
import type { CommonOptions, Surroundings } from "./surroundings.ts";

/** Opens the control plane for one verb and lets go of it whatever happens. */
export async function inSession(
  surroundings: Surroundings,
  options: CommonOptions,
  work: (session: Session) => Promise<ExitCode>,
): Promise<ExitCode> {
  const session = await openSession(surroundings, options);
  try {
    return await work(session);
  } finally {
    session.close();
  }
}
