import {
  type EngineStateView,
  type HeldLock,
  isHolder,
  isPassed,
  type Refusal,
  type Writer,
} from "./engine-state-decision.ts";

export type LockDecision =
  | { readonly outcome: "grant" }
  /** The same request again: its first answer was lost. */
  | { readonly outcome: "held-already" }
  /** The lock of an attempt that is over is given to its successor. */
  | { readonly outcome: "take-over"; readonly from: HeldLock }
  | { readonly outcome: "refuse"; readonly refusal: Refusal };

export function decideLock(
  view: EngineStateView,
  request: { readonly id: string; readonly writer: Writer },
): LockDecision {
  const { lock } = view;
  const { id, writer } = request;
  if (isPassed(view, writer)) return { outcome: "refuse", refusal: { reason: "fence-passed", fence: view.fence } };
  if (lock === undefined) return { outcome: "grant" };
  if (lock.id === id && isHolder(lock, writer)) return { outcome: "held-already" };
  if (isOwnOrphan(lock, writer)) return { outcome: "take-over", from: lock };
  return { outcome: "refuse", refusal: { reason: "locked", lock } };
}

export type UnlockDecision =
  | { readonly outcome: "release" }
  /** `terraform force-unlock` and its like: the holder did not let go by itself. */
  | { readonly outcome: "break"; readonly lock: HeldLock }
  | { readonly outcome: "free-already" }
  | { readonly outcome: "refuse"; readonly refusal: Refusal };

/** `id` is undefined for a forced unlock, whose request has no body. An attempt can force its own orphan only. */
export function decideUnlock(
  view: EngineStateView,
  request: { readonly id: string | undefined; readonly writer: Writer },
): UnlockDecision {
  const { lock } = view;
  const { id, writer } = request;
  if (isPassed(view, writer)) return { outcome: "refuse", refusal: { reason: "fence-passed", fence: view.fence } };
  if (lock === undefined) return { outcome: "free-already" };
  if (id === undefined) {
    if (writer.kind === "token" || isOwnOrphan(lock, writer)) return { outcome: "break", lock };
  } else if (lock.id === id) {
    if (isHolder(lock, writer)) return { outcome: "release" };
    if (writer.kind === "token") return { outcome: "break", lock };
  }
  return { outcome: "refuse", refusal: { reason: "locked", lock } };
}

function isOwnOrphan({ holder }: HeldLock, writer: Writer): boolean {
  return writer.kind === "attempt" && holder.kind === "attempt" && holder.fence < writer.fence;
}
