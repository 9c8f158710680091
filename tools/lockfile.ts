/** What package-lock.json says about one installed package; keys of `packages` are folders. */
interface LockedPackage {
  dependencies?: Record<string, string> | undefined;
  optionalDependencies?: Record<string, string> | undefined;
}

/**
 * Dependencies that a lockfile's packages name and the lockfile does not hold, as `<folder> needs <name>`. npm leaves out
 * an optional one that its registry does not have, and then refuses to install from that lockfile.
 */
export function findUnlocked(packages: Record<string, LockedPackage>): string[] {
  return Object.entries(packages).flatMap(([folder, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) => !isReachable(packages, folder, name))
      .map((name) => `${folder || "the root"} needs ${name}`),
  );
}

/** Node's way of looking: in the folder's own node_modules, then in those of every folder above. */
function isReachable(packages: Record<string, LockedPackage>, folder: string, name: string): boolean {
  for (let at = folder; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/")))) {
    if (packages[`${at}${at === "" ? "" : "/"}node_modules/${name}`] !== undefined) return true;
    if (at === "") return false;
  }
}
