import { snapshotCommit } from "./open-snapshot.ts";
import type { PlannerContext } from "./planner-context.ts";

/** One file as a commit has it; undefined when the commit has none. Links are not followed: a snapshot has none. */
export async function readFileAt(
  { repositories }: PlannerContext,
  { repository, commit, path }: { readonly repository: string; readonly commit: string; readonly path: string },
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { git, trees } = await repositories.open(repository);
  const snapshot = await snapshotCommit(git, trees, await git.resolveCommit(commit || "HEAD"));
  const file = snapshot.file(path);
  if (file === undefined) return undefined;
  const content = (await snapshot.read([file])).get(file.oid);
  return content === undefined ? undefined : new Uint8Array(content);
}
