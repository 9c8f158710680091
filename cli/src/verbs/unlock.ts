import { parseJson } from "@xcloudflow/model/parse-json";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { inSession } from "../in-session.ts";
import { brokenLockOutputSchema, locksOutputSchema, releasedOutputSchema } from "../output/lock-output.ts";
import type { Session } from "../session.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson, type Terminal } from "../terminal.ts";

export interface UnlockOptions extends CommonOptions {
  readonly message?: string;
  readonly engine?: boolean;
}

/** Without a name lists the locks; with a unit address or environment takes its lock away; `--engine` breaks the engine's own. */
export async function unlock(
  surroundings: Surroundings,
  name: string | undefined,
  options: UnlockOptions,
): Promise<ExitCode> {
  const { terminal } = surroundings;
  const json = options.output === "json";
  return inSession(surroundings, options, async (session) => {
    if (name === undefined) await list(terminal, session, json);
    else if (options.engine === true) await breakEngineLock(terminal, session, name, json);
    else await release(terminal, session, name, options.message ?? "", json);
    return EXIT.done;
  });
}

async function list(terminal: Terminal, { api, call }: Session, json: boolean): Promise<void> {
  const { locks } = await api.listLocks({}, call);
  const shown = locks.map(({ kind, name, run, since, reason }) => ({ kind, name, run, since, reason }));
  if (json) return printJson(terminal, locksOutputSchema, { locks: shown });
  if (shown.length === 0) return terminal.out("No locks.\n");
  for (const { kind, name, run, since, reason } of shown)
    terminal.out(`${kind.padEnd(4)}  ${name}  ${run}  ${since}  ${reason}\n`);
}

async function breakEngineLock(terminal: Terminal, { api, call }: Session, unit: string, json: boolean): Promise<void> {
  const { brokenLockInfo } = await api.forceUnlock({ unit }, call);
  const broken = brokenLockInfo === "" ? null : parseJson(brokenLockInfo, "the lock's information");
  if (json) printJson(terminal, brokenLockOutputSchema, { unit, broken });
  else if (broken === null) terminal.out(`The state of ${unit} was not locked.\n`);
  else terminal.out(`Broke the engine's lock on ${unit}: ${brokenLockInfo}\n`);
}

async function release(
  terminal: Terminal,
  { api, call }: Session,
  name: string,
  reason: string,
  json: boolean,
): Promise<void> {
  const { released } = await api.unlock({ kind: name.includes("/") ? "unit" : "tier", name, reason }, call);
  const shown = released.map(({ kind, name: of, run }) => ({ kind, name: of, run }));
  if (json) return printJson(terminal, releasedOutputSchema, { released: shown });
  for (const lock of shown) terminal.out(`Released the ${lock.kind} lock ${lock.name} of ${lock.run}\n`);
}
