import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { type Clock, pause } from "@xcloudflow/chassis/clock";
import { ProgramUnstartableError } from "./engine-spawner-cli.ts";
import { findProgram } from "./find-program.ts";
import {
  type ConfinedAttempt,
  type EngineActor,
  type EngineIsolation,
  IsolationExhaustedError,
  IsolationUnavailableError,
} from "./isolation.ts";
import { processesOfUser, signalProcess } from "./process-table-cli.ts";
import { handOver, removeTraps, takeBack } from "./scratch-ownership.ts";

export interface UserIsolationOptions {
  /** The installer's user; engines have the ones after it. Nobody else's, in any container of the machine. */
  readonly firstUid: number;
  readonly scratchRoot: string;
  /** Folders that engines pass through: made so; and files that they read. */
  readonly passable: readonly string[];
  readonly readable: readonly string[];
  /** Folders that the installer alone may write. */
  readonly installed: readonly string[];
  /** Programs that engines must be able to start. */
  readonly programs: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
}

/** More than one worker runs at a time, so that a user with something left of it can be passed over. */
const USERS = 64;
const KILL_TRIES = 200;
const LOOK_MS = 10;

/**
 * Engines as users of their own, one an attempt. Needs root, or CAP_SETUID, CAP_SETGID, CAP_CHOWN, CAP_FOWNER,
 * CAP_DAC_OVERRIDE and CAP_KILL, on Linux, and `setpriv` of util-linux.
 *
 * @throws {IsolationUnavailableError} when an engine could not be started this way.
 */
export function createUserIsolation(options: UserIsolationOptions): EngineIsolation {
  const { firstUid, scratchRoot, environment, clock } = options;
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    throw new IsolationUnavailableError(
      "engines can have a user of their own only where the worker is root on Linux",
      "run the worker as root, give each task a pod of its own, or set XCF_ISOLATION=none",
    );
  const setpriv = findProgram("setpriv", environment);
  if (setpriv === undefined)
    throw new IsolationUnavailableError("setpriv is not on the PATH", "install util-linux in the worker's image");
  mkdirSync(scratchRoot, { recursive: true, mode: 0o711 });
  for (const folder of [scratchRoot, ...options.passable]) chmodSync(folder, 0o711);
  for (const folder of options.installed) {
    chownSync(folder, firstUid, firstUid);
    chmodSync(folder, 0o755);
  }
  const inUse = new Set<number>();

  const asUser = (uid: number, gid: number): string[] => [
    `--reuid=${uid}`,
    `--regid=${gid}`,
    "--clear-groups",
    "--inh-caps=-all",
    "--no-new-privs",
    "--",
  ];
  const reaches = (flag: "-x" | "-r", path: string): void => {
    try {
      execFileSync(setpriv, [...asUser(firstUid + 1, firstUid + 1), "test", flag, path], { env: environment });
    } catch (cause) {
      throw new IsolationUnavailableError(
        `the engines' user cannot reach ${path}`,
        "let every user pass through the folders above it, and allow the worker CAP_SETUID, CAP_SETGID and CAP_KILL",
        cause,
      );
    }
  };
  const programs = options.programs.map((program) => findProgram(program, environment) ?? program);
  for (const path of [scratchRoot, ...options.passable, ...programs]) reaches("-x", path);
  for (const path of options.readable) reaches("-r", path);

  /** Its number is ours alone on this machine until we end, however we do; undefined when it is somebody else's. */
  async function claim(uid: number): Promise<Server | undefined> {
    const server = createServer().listen(`\0xcloudflow-engine-user-${uid}`);
    server.unref();
    try {
      await once(server, "listening");
      return server;
    } catch {
      return undefined;
    }
  }

  async function takeUser(): Promise<{ readonly uid: number; readonly claimed: Server }> {
    for (let uid = firstUid + 1; uid <= firstUid + USERS; uid += 1) {
      if (inUse.has(uid)) continue;
      inUse.add(uid);
      const claimed = await claim(uid);
      // Scratch of a worker that was killed belongs to a user who must not come back to it.
      if (claimed !== undefined && processesOfUser(uid).length === 0 && !groupsOf(scratchRoot).has(uid))
        return { uid, claimed };
      claimed?.close();
      inUse.delete(uid);
    }
    throw new IsolationExhaustedError(`none of ${USERS} users for engines is free`);
  }

  async function endUser(uid: number): Promise<void> {
    for (let tries = 0; tries < KILL_TRIES; tries += 1) {
      const running = processesOfUser(uid);
      if (running.length === 0) return;
      for (const pid of running) signalProcess(pid, "SIGKILL");
      await pause(clock, LOOK_MS);
    }
    throw new IsolationExhaustedError(`processes of user ${uid} cannot be ended`);
  }

  return {
    async confine(scratch): Promise<ConfinedAttempt> {
      const { uid, claimed } = await takeUser();
      const homes: Record<EngineActor, string> = { engine: join(scratch, "home"), installer: join(scratch, "install") };
      for (const home of Object.values(homes)) mkdirSync(home, { mode: 0o700 });
      mkdirSync(join(scratch, "tmp"), { mode: 0o700 });
      mkdirSync(join(homes.installer, "tmp"), { mode: 0o700 });
      // What an engine puts there must not steer the installer, who fills the caches of all.
      for (const path of [join(homes.installer, "tmp"), homes.installer]) chownSync(path, firstUid, uid);
      const settle = async (): Promise<void> => {
        await endUser(uid);
        removeTraps(scratch, uid);
      };
      return {
        environment: (actor) => ({
          HOME: homes[actor],
          TMPDIR: actor === "engine" ? join(scratch, "tmp") : join(homes.installer, "tmp"),
        }),
        wrap(file, args, actor) {
          handOver(scratch, uid);
          const program = findProgram(file, environment);
          if (program === undefined) throw new ProgramUnstartableError(file, "ENOENT");
          return { file: setpriv, args: [...asUser(actor === "engine" ? uid : firstUid, uid), program, ...args] };
        },
        kill() {
          for (const pid of processesOfUser(uid)) signalProcess(pid, "SIGKILL");
        },
        settle,
        async release() {
          try {
            await settle();
            takeBack(scratch);
          } finally {
            claimed.close();
            inUse.delete(uid);
          }
        },
      };
    },

    async endLeftover(scratch) {
      const { gid: uid } = statSync(scratch);
      if (uid <= firstUid || uid > firstUid + USERS || inUse.has(uid)) return;
      const claimed = await claim(uid);
      if (claimed === undefined) return;
      try {
        await endUser(uid);
        removeTraps(scratch, uid);
        takeBack(scratch);
      } finally {
        claimed.close();
      }
    },
  };
}

function groupsOf(root: string): ReadonlySet<number> {
  return new Set(readdirSync(root).map((name) => statSync(join(root, name), { throwIfNoEntry: false })?.gid ?? 0));
}
