import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** The mesh that the end-to-end suites of a run share, or why there is none. */
export type SharedMesh =
  | { kind: "started"; path: string; stop(): Promise<void> }
  | { kind: "skipped"; reason: string }
  | { kind: "failed" };

/** Starts it in a process of its own, which ends with us. `path` is a file that says where it is. */
export async function startSharedMesh(root: string): Promise<SharedMesh> {
  const mesh = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(root, "test/support/shared-mesh-main.ts")],
    {
      cwd: root,
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const ended = once(mesh, "exit").then(() => undefined);
  const lines = createInterface({ input: mesh.stdout });
  const line = await Promise.race([once(lines, "line").then(([first]) => String(first)), ended]);
  if (line === undefined) return { kind: "failed" };
  if (line.startsWith("skip ")) return { kind: "skipped", reason: line.slice("skip ".length) };
  return {
    kind: "started",
    path: line,
    async stop() {
      mesh.stdin.end();
      await ended;
    },
  };
}
