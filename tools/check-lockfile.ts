// Checks that package-lock.json holds everything its packages may need on any platform, so that `npm ci` works anywhere.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { findUnlocked } from "./lockfile.ts";

const names = z.record(z.string(), z.string()).optional();
const lockfile = z.object({
  packages: z.record(z.string(), z.object({ dependencies: names, optionalDependencies: names })),
});

const path = join(dirname(import.meta.dirname), "package-lock.json");
const { packages } = lockfile.parse(JSON.parse(readFileSync(path, "utf8")));
const unlocked = findUnlocked(packages);
for (const line of unlocked)
  console.error(`package-lock.json: ${line}, which is not locked; pin a version that has it`);
if (unlocked.length > 0) process.exitCode = 1;
