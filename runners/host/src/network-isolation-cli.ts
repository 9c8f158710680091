import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect as connectTo, createServer as createTunnel } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Logger } from "@xcloudflow/chassis/logger";
import type { EgressTarget } from "./egress-list.ts";
import { createEgressProxy } from "./egress-proxy.ts";
import { findProgram } from "./find-program.ts";
import { type EngineIsolation, IsolationUnavailableError } from "./isolation.ts";

export interface NetworkIsolationOptions {
  /** Gives engines users of their own: as root an engine could leave its network again. */
  readonly users: EngineIsolation;
  /** Where engines may go besides the state backend. */
  readonly egress: readonly EgressTarget[];
  /** The worker's own address of the state backend, on loopback: the same inside. */
  readonly stateHttpAddress: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly logger: Logger;
}

export interface NetworkIsolation extends EngineIsolation {
  close(): void;
}

/** Of an engine's own network: nothing else can be there. */
const PROXY_PORT = 3128;
const PROXY_VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];

/**
 * Engines each in a network of their own, which has a loopback device and no other. Two ports of it lead out, through
 * Unix sockets that only the worker can open: the state backend, and a proxy that knows where engines may go. Needs
 * CAP_SYS_ADMIN and CAP_NET_ADMIN, `unshare` and `nsenter` of util-linux, and `ip` of iproute2.
 *
 * @throws {IsolationUnavailableError} when such a network cannot be made here.
 */
export async function createNetworkIsolation(options: NetworkIsolationOptions): Promise<NetworkIsolation> {
  const { users, logger } = options;
  const nsenter = findProgram("nsenter", options.environment);
  if (nsenter === undefined)
    throw new IsolationUnavailableError("nsenter is not on the PATH", "install util-linux in the worker's image");
  const state = new URL(options.stateHttpAddress);
  const sockets = mkdtempSync(join(tmpdir(), "xcf-net-"));
  const places = { state: join(sockets, "state"), egress: join(sockets, "egress") };
  const egress = createEgressProxy(options.egress, logger).listen(places.egress);
  const tunnel = createTunnel((socket) => {
    const onward = connectTo({ host: state.hostname, port: Number(state.port) });
    socket.pipe(onward).pipe(socket);
    socket.on("error", () => onward.destroy());
    onward.on("error", () => socket.destroy());
  }).listen(places.state);
  const close = (): void => {
    egress.closeAllConnections();
    egress.close();
    tunnel.close();
    rmSync(sockets, { recursive: true, force: true });
  };
  const doors = [
    { port: Number(state.port), socket: places.state },
    { port: PROXY_PORT, socket: places.egress },
  ];
  try {
    await Promise.all([egress, tunnel].map((server) => (server.listening ? undefined : once(server, "listening"))));
    (await openNetwork(doors)).close();
  } catch (error) {
    close();
    throw error;
  }

  return {
    async confine(scratch) {
      const user = await users.confine(scratch);
      const network = await openNetwork(doors).catch(async (error: unknown) => {
        await user.release();
        throw error;
      });
      const proxy = `http://127.0.0.1:${PROXY_PORT}`;
      return {
        ...user,
        environment: (actor) => ({
          ...user.environment(actor),
          ...Object.fromEntries(PROXY_VARIABLES.map((name) => [name, proxy])),
          ALL_PROXY: "",
          all_proxy: "",
          NO_PROXY: "127.0.0.1",
          no_proxy: "127.0.0.1",
        }),
        wrap(file, args, actor) {
          const command = user.wrap(file, args, actor);
          return { file: nsenter, args: [`--net=/proc/${network.pid}/ns/net`, "--", command.file, ...command.args] };
        },
        async release() {
          try {
            await user.release();
          } finally {
            network.close();
          }
        },
      };
    },
    endLeftover: (scratch) => users.endLeftover(scratch),
    close,
  };
}

interface Door {
  readonly port: number;
  readonly socket: string;
}

/** A process that keeps a network alive and passes on what comes to its doors; it ends when the worker does. */
async function openNetwork(doors: readonly Door[]): Promise<{ readonly pid: number; close(): void }> {
  // Source text and not a file, so that it survives being bundled.
  const program = `(${keepDoors.toString()})(${JSON.stringify(doors)})`;
  const keeper: ChildProcess = spawn("unshare", ["--net", "--", process.execPath, "-e", program], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
    detached: true,
    serialization: "json",
  });
  let said = "";
  keeper.stderr?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  keeper.once("message", () => resolve());
  keeper.once("error", reject);
  keeper.once("exit", () => reject(new Error(said.trim().split("\n").at(-1) ?? "it ended")));
  try {
    await promise;
  } catch (cause) {
    throw new IsolationUnavailableError(
      "a network of its own cannot be made for an engine",
      "allow the worker CAP_SYS_ADMIN and CAP_NET_ADMIN and install util-linux and iproute2, or choose XCF_ISOLATION=user and keep its pods in with a network policy",
      cause,
    );
  }
  keeper.unref();
  keeper.channel?.unref();
  return { pid: keeper.pid ?? 0, close: () => void keeper.kill("SIGKILL") };
}

/** The keeper's whole program. Self-contained: only its text goes to the other process. */
function keepDoors(doors: readonly Door[]): void {
  const { execFileSync } = process.getBuiltinModule("node:child_process");
  const { connect, createServer } = process.getBuiltinModule("node:net");
  execFileSync("ip", ["link", "set", "lo", "up"], { stdio: ["ignore", "ignore", "inherit"] });
  let opened = 0;
  for (const { port, socket: path } of doors) {
    const server = createServer((socket) => {
      const onward = connect(path);
      socket.pipe(onward).pipe(socket);
      socket.on("error", () => onward.destroy());
      onward.on("error", () => socket.destroy());
    });
    server.listen(port, "127.0.0.1", () => {
      opened += 1;
      if (opened === doors.length) process.send?.("open");
    });
  }
  process.on("disconnect", () => process.exit());
}
