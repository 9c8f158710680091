import type { Verdict } from "./ledger-judge.ts";
import type { WatchedRun } from "./ledger-run.ts";
import { isWorker, type Strike } from "./strikes.ts";

/** Figures of a row of strikes, as docs/reliability.md keeps them. */
export interface StrikeReport {
  add(strikes: readonly Strike[], runs: readonly WatchedRun[]): void;
  judged(verdict: Verdict): void;
  /** After each kill and lost store: until the run went on, in milliseconds. */
  resumed(): readonly number[];
  lines(): string[];
}

export function createReport(): StrikeReport {
  const resumed: number[] = [];
  const back: number[] = [];
  const takenOver: number[] = [];
  const stores: number[] = [];
  const republished: number[] = [];
  let most = 0;
  const counts = new Map<string, number>();
  const totals = { unsure: 0, doubled: 0, lapsed: 0 };

  return {
    add(strikes, runs) {
      const moves = runs.flatMap((run) => run.moves);
      for (const { kind, victim, at, held, republished: again, back: answered } of strikes) {
        const name = kind === "kill" ? `kill ${victim.replace(/-\d+$/, "")}` : kind;
        counts.set(name, (counts.get(name) ?? 0) + 1);
        if (kind === "store") stores.push(answered);
        if (again !== undefined) republished.push(again.milliseconds);
        most = Math.max(most, again?.events ?? 0);
        if (kind === "kill") back.push(answered);
        const goesOn = moves.find((move) => move.at > at);
        if (kind !== "freeze" && goesOn !== undefined) resumed.push(goesOn.at - at);
        if (!isWorker(victim)) continue;
        for (const unit of held) {
          const taken = moves.find((move) => move.at > at && move.unit === unit);
          if (taken !== undefined) takenOver.push(taken.at - at);
        }
      }
    },
    judged({ unsure, doubled, lapsed }) {
      totals.unsure += unsure;
      totals.doubled += doubled;
      totals.lapsed += lapsed;
    },
    resumed: () => resumed,
    lines: () => [
      [...counts]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, count]) => `${count} × ${name}`)
        .join(", "),
      `${totals.unsure} units were hit inside an apply, all inspected; ${totals.doubled} of them have a line twice`,
      `${totals.lapsed} more lost their lease to a busy machine`,
      `the run went on after a kill or lost store in ${spread(resumed)}`,
      `what was killed answered again in ${spread(back)}`,
      `work of a killed or frozen worker moved again in ${spread(takenOver)}`,
      `workers could be told of tasks again after NATS lost its store in ${spread(stores)}`,
      `NATS had all events again, up to ${most}, in ${spread(republished)}`,
    ],
  };
}

function spread(milliseconds: readonly number[]): string {
  const sorted = milliseconds.toSorted((a, b) => a - b);
  const at = (share: number): string =>
    ((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) / 1_000).toFixed(2);
  return `p50 ${at(0.5)} s, p99 ${at(0.99)} s, most ${at(1)} s (${sorted.length})`;
}
