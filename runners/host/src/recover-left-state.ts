import type { Logger } from "@xcloudflow/chassis/logger";
import type { Engine } from "./engine.ts";
import type { Leftover } from "./scratch-directory.ts";
import type { StateClient } from "./worker-clients.ts";

export interface LeftStateOptions {
  readonly state: Pick<StateClient, "recoverState">;
  /** Of the living attempt that found it. */
  readonly attemptToken: string;
  readonly unit: string;
  readonly engine: Engine;
  readonly logger: Logger;
}

const CHUNK = 256 * 1024;

/**
 * Hands the engine state that an attempt left in its scratch directory to the state service, which decides whether it
 * becomes the current one or is quarantined; then the directory goes. Answers whether it became current.
 */
export async function recoverLeftState(
  leftover: Pick<Leftover, "path" | "remove"> & { readonly record: { readonly attempt: number } | undefined },
  { state, attemptToken, unit, engine, logger }: LeftStateOptions,
): Promise<boolean> {
  const found = await engine.findLeftState?.(leftover.path);
  if (found === undefined) {
    leftover.remove();
    return false;
  }
  const deadFence = BigInt(leftover.record?.attempt ?? 0);
  async function* parts() {
    yield { part: { case: "header" as const, value: { attemptToken, unit, deadFence } } };
    for (let offset = 0; offset < (found?.length ?? 0); offset += CHUNK)
      yield { part: { case: "data" as const, value: found?.subarray(offset, offset + CHUNK) ?? new Uint8Array() } };
  }
  const { current, version } = await state.recoverState(parts());
  logger.warn("engine state was recovered from scratch", { unit, current, version });
  leftover.remove();
  return current;
}
