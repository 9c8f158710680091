import type { Random } from "@xcloudflow/chassis/random";
import type { StrikeKind } from "./strikes.ts";

export interface PlannedStrike {
  readonly kind: StrikeKind;
  readonly victim: string;
}

/** How many of each. */
export type StrikeCounts = Readonly<Record<StrikeKind, number>>;

/**
 * So many strikes in a drawn order. Kills go round the kinds of process, a drawn one of each kind, so that a few meet all
 * kinds and many meet all processes; freezes go to workers.
 */
export function planStrikes(counts: StrikeCounts, victims: readonly string[], random: Random): PlannedStrike[] {
  const kinds = new Map<string, string[]>();
  for (const victim of victims) {
    const kind = victim.replace(/-\d+$/, "");
    kinds.set(kind, [...(kinds.get(kind) ?? []), victim]);
  }
  const draw = (names: readonly string[]): string => names[random.integer(names.length)] ?? "";
  const round = shuffle([...kinds.values()], random);
  const workers = victims.filter((victim) => victim.startsWith("terraform-"));
  return shuffle(
    [
      ...numbers(counts.kill).map((n) => ({ kind: "kill" as const, victim: draw(round[n % round.length] ?? []) })),
      ...numbers(counts.freeze).map((n) => ({ kind: "freeze" as const, victim: workers[n % workers.length] ?? "" })),
      ...numbers(counts.store).map(() => ({ kind: "store" as const, victim: "nats" })),
    ],
    random,
  );
}

function shuffle<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, place: random.float() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
