import { execFileSync } from "node:child_process";

/** Mounts a file system of so many megabytes in memory; false where this user or system cannot. */
export function mountTmpfs(directory: string, megabytes: number): boolean {
  if (process.platform !== "linux") return false;
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", directory], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

export function unmountTmpfs(directory: string): void {
  execFileSync("umount", [directory], { stdio: "ignore" });
}
