import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CheckpointWitness } from "./checkpoint-witness.ts";

/** One file a log in `folder` (`~/.config/xcloudflow/checkpoints`), replaced as a whole. */
export function createFileCheckpointWitness(folder: string): CheckpointWitness {
  const pathOf = (origin: string): string =>
    join(folder, `${origin.replaceAll(/[^\w.-]/g, "_").slice(-100)}.${fingerprint(origin)}.checkpoint`);
  let drafts = 0;
  return {
    async latest(origin) {
      try {
        return await readFile(pathOf(origin), "utf8");
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
        throw error;
      }
    },
    async record(origin, note) {
      const path = pathOf(origin);
      const draft = `${path}.${process.pid}.${drafts++}`;
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFile(draft, note, { mode: 0o600 });
      await rename(draft, path);
    },
  };
}

function fingerprint(origin: string): string {
  return createHash("sha256").update(origin).digest("hex").slice(0, 16);
}
