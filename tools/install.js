// Installs npm packages when what is there is not what the lockfile says. Plain JavaScript: it runs before Node 24 is here.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function readPackages(path) {
  return JSON.parse(readFileSync(join(root, path), "utf8")).packages;
}

/** Optional packages of other platforms are in the lockfile and rightly not on the disk. */
function isForHere({ os, cpu, libc }) {
  const fits = (wanted, actual) => wanted === undefined || [wanted].flat().includes(actual);
  return fits(os, process.platform) && fits(cpu, process.arch) && libc === undefined;
}

function isInstalled() {
  const hidden = "node_modules/.package-lock.json";
  if (!existsSync(join(root, hidden)) || !existsSync(join(root, "node_modules", ".bin", "node"))) return false;
  const installed = readPackages(hidden);
  return Object.entries(readPackages("package-lock.json")).every(([path, wanted]) => {
    if (!path.includes("node_modules/") || !isForHere(wanted)) return true;
    const found = installed[path];
    return found === undefined ? wanted.optional === true : found.version === wanted.version;
  });
}

if (!isInstalled()) {
  // Some packages ask for Node 22; they run under the Node that comes with this install, so npm's warning misleads.
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: "inherit",
  });
  process.exit(status ?? 1);
}
