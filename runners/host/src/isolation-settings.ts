import type { Logger } from "@xcloudflow/chassis/logger";
import { z } from "zod";
import { type EgressTarget, parseEgressTarget } from "./egress-list.ts";
import type { EngineIsolation, IsolationLevel } from "./isolation.ts";
import { createNetworkIsolation } from "./network-isolation-cli.ts";
import { createUserIsolation, type UserIsolationOptions } from "./user-isolation-cli.ts";

/** `host:port` or `*.domain:port`, several separated by commas. */
export const egressList = z.string().transform((text, context) => {
  const targets: EgressTarget[] = [];
  for (const part of text.split(",").map((entry) => entry.trim())) {
    const target = parseEgressTarget(part);
    if (target !== undefined) {
      targets.push(target);
      continue;
    }
    context.addIssue({ code: "custom", message: "must be host:port or *.domain:port, or several separated by commas" });
    return z.NEVER;
  }
  return targets;
});

export interface IsolationOptions extends UserIsolationOptions {
  readonly level: IsolationLevel;
  readonly egress: readonly EgressTarget[];
  readonly stateHttpAddress: string;
  readonly logger: Logger;
}

/**
 * What a pool's settings ask for; undefined for `none`.
 *
 * @throws {IsolationUnavailableError} when the machine cannot do it: nothing weaker is done instead.
 */
export async function createIsolation(
  options: IsolationOptions,
): Promise<{ readonly engines: EngineIsolation; close(): void } | undefined> {
  if (options.level === "none") return undefined;
  const users = createUserIsolation(options);
  if (options.level === "user") return { engines: users, close: () => undefined };
  const network = await createNetworkIsolation({ ...options, users });
  return { engines: network, close: () => network.close() };
}
