import type { Clock } from "@xcloudflow/chassis/clock";
import type { Terminal } from "./terminal.ts";

/** What a verb may know of its process: read once in `main.ts`, nowhere else. */
export interface Surroundings {
  readonly terminal: Terminal;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly version: string;
  /** How this program starts itself again: executable and the arguments before the verb. */
  readonly self: { readonly executable: string; readonly arguments: readonly string[] };
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly interrupted: AbortSignal;
}

/** This program again, as another process with a hidden verb. */
export function startSelf({ self, environment }: Surroundings, ...words: readonly string[]) {
  return { executable: self.executable, arguments: [...self.arguments, ...words], environment };
}

/** Options every verb has. */
export interface CommonOptions {
  readonly output?: string | undefined;
  readonly server?: string | undefined;
}
