import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** One line of a benchmark's report; `met` undefined where there is no goal. */
export function printFigure(
  name: string,
  figure: string,
  goal?: { readonly text: string; readonly met: boolean },
): void {
  const verdict = goal === undefined ? "" : `  goal ${goal.text}: ${goal.met ? "met" : "MISSED"}`;
  console.log(`${name.padEnd(58)} ${figure}${verdict}`);
}

/** Says which of the peers a benchmark would run beside are not here. */
export function nameMissingPeers(peers: readonly string[]): readonly string[] {
  const missing = peers.filter((peer) => !isOnPath(peer));
  for (const peer of missing) console.log(`${peer}: not on the PATH, so not beside us`);
  return peers.filter((peer) => !missing.includes(peer));
}

export function isOnPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
