/** Who writes: an attempt with its fence, or a person with an API token (break-glass). */
export type Writer =
  /** `expired`: its time is over, though no later attempt may have begun yet. */
  | { readonly kind: "attempt"; readonly name: string; readonly fence: bigint; readonly expired: boolean }
  | { readonly kind: "token"; readonly name: string };

export interface HeldLock {
  readonly id: string;
  /** LockInfo JSON as the client sent it. */
  readonly info: string;
  readonly holder: Writer;
}

export interface CurrentVersion {
  readonly version: bigint;
  readonly serial: bigint;
  readonly lineage: string;
  readonly digest: string;
  readonly byAttempt: boolean;
  /** The attempt's fence; for a person's write the unit's fence at that moment. */
  readonly fence: bigint;
}

/** All that decides about a unit's state, read under the unit's row lock. */
export interface EngineStateView {
  readonly fence: bigint;
  readonly current: CurrentVersion | undefined;
  readonly lock: HeldLock | undefined;
}

export interface OfferedState {
  readonly serial: bigint;
  readonly lineage: string;
  readonly digest: string;
}

export interface StateWrite extends OfferedState {
  readonly writer: Writer;
  /** `?ID=`; absent when the client writes without a lock. */
  readonly lockId: string | undefined;
}

export type Refusal =
  | { readonly reason: "locked"; readonly lock: HeldLock }
  | { readonly reason: "lock-lost"; readonly lockId: string }
  | { readonly reason: "lineage"; readonly current: CurrentVersion }
  | { readonly reason: "serial"; readonly current: CurrentVersion }
  | { readonly reason: "fence-passed"; readonly fence: bigint };

export type WriteDecision =
  | { readonly outcome: "accept" }
  /** The same bytes are current already: a repeated request. */
  | { readonly outcome: "unchanged"; readonly version: bigint }
  /** Kept, never current: a newer attempt is responsible for the unit now. */
  | { readonly outcome: "quarantine"; readonly fence: bigint }
  | { readonly outcome: "refuse"; readonly refusal: Refusal };

/**
 * Whether a state becomes the unit's current one. Terraform's client sends nothing but the lock's id, so everything it
 * would check locally is checked here: the lock, that the lineage is the same, and that the serial has grown.
 */
export function decideWrite(view: EngineStateView, write: StateWrite): WriteDecision {
  const { current } = view;
  const repeated = current !== undefined && isSame(current, write);
  if (isPassed(view, write.writer)) {
    return repeated ? { outcome: "unchanged", version: current.version } : { outcome: "quarantine", fence: view.fence };
  }
  const refusal = checkLock(view, write);
  if (refusal !== undefined) return { outcome: "refuse", refusal };
  if (current === undefined) return { outcome: "accept" };
  if (repeated) return { outcome: "unchanged", version: current.version };
  if (current.lineage !== write.lineage) return { outcome: "refuse", refusal: { reason: "lineage", current } };
  if (write.serial <= current.serial) return { outcome: "refuse", refusal: { reason: "serial", current } };
  return { outcome: "accept" };
}

/** Whether the current state may go; its versions stay. */
export function decideDelete(
  view: EngineStateView,
  { writer, lockId }: Pick<StateWrite, "writer" | "lockId">,
): Refusal | undefined {
  return isPassed(view, writer) ? { reason: "fence-passed", fence: view.fence } : checkLock(view, { writer, lockId });
}

export interface RecoveredState extends OfferedState {
  /** The attempt that found it. */
  readonly writer: Extract<Writer, { kind: "attempt" }>;
  /** Fence of the dead attempt in whose scratch it was. */
  readonly deadFence: bigint;
}

/**
 * Whether a state found in a dead attempt's scratch continues the unit's history: same lineage, higher serial, and
 * nobody else has written since that attempt began. Anything else is kept aside for a person to look at.
 */
export function decideRecovery(view: EngineStateView, found: RecoveredState): WriteDecision {
  const { current, lock } = view;
  if (current !== undefined && isSame(current, found)) return { outcome: "unchanged", version: current.version };
  const aside: WriteDecision = { outcome: "quarantine", fence: view.fence };
  if (isPassed(view, found.writer) || found.deadFence > found.writer.fence) return aside;
  if (lock !== undefined && (lock.holder.kind === "token" || lock.holder.fence > found.writer.fence)) return aside;
  if (current === undefined) return { outcome: "accept" };
  const writtenSince = current.byAttempt ? current.fence > found.deadFence : current.fence >= found.deadFence;
  if (writtenSince || current.lineage !== found.lineage || found.serial <= current.serial) return aside;
  return { outcome: "accept" };
}

function checkLock(
  { lock }: EngineStateView,
  { writer, lockId }: Pick<StateWrite, "writer" | "lockId">,
): Refusal | undefined {
  if (lock === undefined) return lockId === undefined ? undefined : { reason: "lock-lost", lockId };
  return lock.id === lockId && isHolder(lock, writer) ? undefined : { reason: "locked", lock };
}

/** An attempt's lock is that attempt's alone; a person's is told by its id, since one token may serve several machines. */
export function isHolder({ holder }: HeldLock, writer: Writer): boolean {
  if (holder.kind === "attempt") return writer.kind === "attempt" && writer.fence === holder.fence;
  return writer.kind === "token";
}

export function isPassed(view: EngineStateView, writer: Writer): boolean {
  return writer.kind === "attempt" && (writer.expired || writer.fence < view.fence);
}

function isSame(current: CurrentVersion, offered: OfferedState): boolean {
  return current.serial === offered.serial && current.lineage === offered.lineage && current.digest === offered.digest;
}
