import type { StateInfo } from "@xcloudflow/proto/state/v1/state_pb";
import { NameUnknownError } from "../compile-work-tree.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { inSession } from "../in-session.ts";
import { stateOutputSchema, statesOutputSchema, stateVersionsOutputSchema } from "../output/state-output.ts";
import type { Session } from "../session.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";

export interface StateOptions extends CommonOptions {
  readonly env?: string;
  readonly version: number;
}

/** The engine states that are kept. */
export async function stateList(surroundings: Surroundings, options: StateOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const { states } = await session.api.listStates({ environment: options.env ?? "" }, session.call);
    const shown = states.map(showState);
    if (options.output === "json") printJson(surroundings.terminal, statesOutputSchema, { states: shown });
    else
      surroundings.terminal.out(
        shown.length === 0
          ? "No states.\n"
          : shown
              .map(
                (state) =>
                  `${state.unit}  serial ${state.serial}  ${state.size} bytes  ${state.updatedAt}${state.lock === null ? "" : "  locked"}\n`,
              )
              .join(""),
      );
    return EXIT.done;
  });
}

/** One unit's state, without its content. */
export async function stateShow(surroundings: Surroundings, unit: string, options: StateOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const shown = showState(await findState(session, unit));
    if (options.output === "json") printJson(surroundings.terminal, stateOutputSchema, shown);
    else
      surroundings.terminal.out(
        Object.entries(shown)
          .map(([name, value]) => `${name.padEnd(12)}  ${typeof value === "object" ? JSON.stringify(value) : value}\n`)
          .join(""),
      );
    return EXIT.done;
  });
}

/** Every version there was, newest first. */
export async function stateVersions(
  surroundings: Surroundings,
  unit: string,
  options: StateOptions,
): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const { versions } = await session.api.listStateVersions({ unit }, session.call);
    if (versions.length === 0) await findState(session, unit);
    const shown = versions.map(({ version, serial, lineage, size, createdAt, writer, status }) => ({
      version: Number(version),
      serial: Number(serial),
      lineage,
      size: Number(size),
      createdAt,
      writer,
      status,
    }));
    if (options.output === "json")
      printJson(surroundings.terminal, stateVersionsOutputSchema, { unit, versions: shown });
    else
      surroundings.terminal.out(
        shown
          .map(
            (version) =>
              `${String(version.version).padStart(4)}  serial ${version.serial}  ${version.status.padEnd(11)}  ${version.createdAt}  ${version.writer}\n`,
          )
          .join(""),
      );
    return EXIT.done;
  });
}

/** The engine's own state, decrypted and byte for byte. */
export async function statePull(surroundings: Surroundings, unit: string, options: StateOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const decoder = new TextDecoder();
    for await (const { data } of session.api.pullState({ unit, version: BigInt(options.version) }, session.call))
      surroundings.terminal.out(decoder.decode(data, { stream: true }));
    return EXIT.done;
  });
}

/** @throws {NameUnknownError} with the nearest unit that has one. */
async function findState({ api, call }: Session, unit: string): Promise<StateInfo> {
  const { states } = await api.listStates({ environment: unit.split("/")[0] ?? "" }, call);
  const state = states.find((other) => other.unit === unit);
  const names = states.map((other) => other.unit);
  if (state === undefined) throw new NameUnknownError("state", unit, names);
  return state;
}

function showState(state: StateInfo) {
  const { unit, serial, lineage, version, size, updatedAt, lockInfo, fence, quarantined } = state;
  const lock: unknown = lockInfo === "" ? null : JSON.parse(lockInfo);
  return {
    unit,
    serial: Number(serial),
    lineage,
    version: Number(version),
    size: Number(size),
    updatedAt,
    lock,
    fence: Number(fence),
    quarantined,
  };
}
