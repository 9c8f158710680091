import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

const PREFIX = "xcloudflow-shop-";
/** In the folder around the shop: the process that made it, so that a running demo keeps its own. */
const MAKER = "made-by-demo";
/** What of the example is about telling the story. */
const STAGE = new Set(["demo", "demo.ts"]);

/** Copies the shop to a new folder below `parent` and removes what earlier demos of this user left there. */
export async function makeShop(example: string, parent: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  await removeEarlier(parent);
  const around = await mkdtemp(join(parent, PREFIX));
  await writeFile(join(around, MAKER), String(process.pid));
  const folder = join(around, "shop");
  await mkdir(folder);
  for (const entry of await readdir(example)) {
    if (!STAGE.has(entry)) await cp(join(example, entry), join(folder, entry), { recursive: true });
  }
  return folder;
}

async function removeEarlier(parent: string): Promise<void> {
  const own = process.getuid?.();
  for (const entry of await readdir(parent)) {
    if (!entry.startsWith(PREFIX)) continue;
    const around = join(parent, entry);
    const maker = await readFile(join(around, MAKER), "utf8").catch(() => undefined);
    if (maker === undefined || isAlive(Number(maker))) continue;
    if (own !== undefined && (await stat(around)).uid !== own) continue;
    await rm(around, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
