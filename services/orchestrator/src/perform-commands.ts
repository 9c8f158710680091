import type { Command } from "./decision.ts";
import type { Signals } from "./orchestrator-context.ts";

export function offerTopic(engine: string): string {
  return `offer ${engine}`;
}

export function runTopic(run: string): string {
  return `run ${run}`;
}

/** Carries out what a committed decision asked for. Each is a hint: losing one costs a poll interval. */
export function performCommands(
  { signals }: { readonly signals: Signals },
  tenant: string,
  commands: readonly Command[],
): void {
  const performed = new Set<string>();
  for (const command of commands) {
    if (command.kind === "notify") {
      // A detail each: watchers add up what they are told.
      signals.raise(runTopic(command.run), command.units);
      continue;
    }
    const key = `${command.kind} ${command.kind === "offer" ? command.engine : command.run}`;
    if (performed.has(key)) continue;
    performed.add(key);
    if (command.kind === "drive") signals.drive(tenant, command.run);
    else {
      signals.raise(offerTopic(command.engine));
      signals.offer(tenant);
    }
  }
}
