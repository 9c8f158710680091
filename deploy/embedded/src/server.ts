import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Caller } from "@xcloudflow/chassis/caller";
import { type Clock, pause } from "@xcloudflow/chassis/clock";
import { createIds } from "@xcloudflow/chassis/ids";
import { createSystemRandom } from "@xcloudflow/chassis/random";
import { type NodeHandler, type RunningServer, serveRoutes } from "@xcloudflow/chassis/serve";
import { edgeInterceptors } from "@xcloudflow/chassis/server-interceptors";
import { type Embedded, startEmbedded } from "./control-plane.ts";
import type { InitdbCommand } from "./initdb-cli.ts";
import { serveMetrics } from "./metrics-server.ts";
import { OwnerTakenError } from "./owner/owner-errors.ts";
import { readIdentity, socketPath } from "./owner/owner-files.ts";
import { type Owner, startOwner } from "./owner/owner-process.ts";
import { type OwnerSession, openOwnerSession } from "./owner/owner-session.ts";
import type { Environment } from "./tool-places.ts";

export interface ServerOptions {
  readonly dir: string;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly version: string;
  readonly initdb: InitdbCommand;
  /** Whom the token in `.xcf/token` stands for. */
  readonly caller: Caller;
  readonly host: string;
  readonly grpcPort: number;
  readonly httpPort: number;
  /** Serves `handler` at `/metrics` of a port of its own, without a token. */
  readonly metrics?: { readonly port: number; readonly handler: NodeHandler } | undefined;
}

export interface EmbeddedServer {
  readonly grpc: string;
  readonly http: string;
  readonly tokenFile: string;
  /** Absent unless asked for. */
  readonly metrics?: string;
  /** Resolves when the control plane has ended by itself. */
  readonly left: Promise<void>;
  close(): Promise<void>;
}

const OWNER_ONLY = 0o600;
const PATIENCE_MS = 10_000;
const LOOK_AGAIN_MS = 50;

/**
 * Owns the folder and serves every service to the outside as well as to this user's other xcf processes.
 *
 * @throws {OwnerTakenError} when another process owns the folder and is in use.
 * @throws {AddressUnavailableError} when a port is taken.
 */
export async function startServer(options: ServerOptions): Promise<EmbeddedServer> {
  const { dir, environment, clock, version, initdb } = options;
  let embedded: Embedded | undefined;
  const owner = await takeOver(dir, clock, () =>
    startOwner({
      dir,
      version,
      clock,
      lingerMs: "forever",
      startControlPlane: async (folder) => {
        embedded = await startEmbedded({ dir: folder.dir, environment, clock, version, initdb });
        return embedded;
      },
    }),
  );
  if (embedded === undefined) throw new Error("the owner started without a control plane");
  try {
    return await serve(options, owner, embedded);
  } catch (error) {
    await owner.leave();
    throw error;
  }
}

async function serve(
  { dir, clock, caller, host, grpcPort, httpPort, metrics }: ServerOptions,
  owner: Owner,
  embedded: Embedded,
): Promise<EmbeddedServer> {
  const ids = createIds(clock, createSystemRandom());
  const server: RunningServer = await serveRoutes({
    routes: embedded.services,
    interceptors: edgeInterceptors({ logger: embedded.logger, clock, newReference: () => ids.next("err") }),
    authenticate: embedded.api.authenticate,
    grpc: { host, port: grpcPort },
    http: { host, port: httpPort, fallback: embedded.stateBackend },
  });
  const scraped = metrics === undefined ? undefined : await serveMetrics(host, metrics.port, metrics.handler);
  const { id, token } = await embedded.api.createToken(caller, {
    role: "admin",
    subject: "",
    groups: caller.groups,
    writeState: false,
    expiresAt: "",
  });
  const tokenFile = join(dir, "token");
  const serverFile = join(dir, "server.json");
  const grpc = `http://${server.grpc.host}:${server.grpc.port}`;
  const http = `http://${server.http.host}:${server.http.port}`;
  await writeFile(tokenFile, `${token}\n`, { mode: OWNER_ONLY });
  await writeFile(serverFile, `${JSON.stringify({ grpc, http, pid: process.pid })}\n`, { mode: OWNER_ONLY });
  return {
    grpc,
    http,
    tokenFile,
    ...(scraped === undefined ? {} : { metrics: scraped.url }),
    left: owner.left,
    async close() {
      await rm(serverFile, { force: true });
      await rm(tokenFile, { force: true });
      await embedded.api.revokeToken(caller, id);
      await scraped?.close();
      await server.close();
      await owner.leave();
    },
  };
}

/** An idle owner in the background gives way to a server that a person starts; how long it may take to leave is bounded. */
async function takeOver(dir: string, clock: Clock, start: () => Promise<Owner>): Promise<Owner> {
  const patience = new AbortController();
  const stopWaiting = clock.schedule(PATIENCE_MS, () => patience.abort());
  try {
    for (;;) {
      try {
        return await start();
      } catch (error) {
        if (!(error instanceof OwnerTakenError) || patience.signal.aborted) throw error;
        if (!(await givesWay(dir, patience.signal))) throw error;
      }
      // The socket closes before the folder is free: what was committed is written down in between.
      await pause(clock, LOOK_AGAIN_MS);
    }
  } finally {
    stopWaiting();
  }
}

/** Whether the holder leaves, or is just not listening: starting or leaving already. */
async function givesWay(dir: string, deadline: AbortSignal): Promise<boolean> {
  let session: OwnerSession;
  try {
    session = await openOwnerSession((await readIdentity(dir))?.socket ?? socketPath(dir), deadline);
  } catch {
    return true;
  }
  try {
    return await session.askToLeave(deadline);
  } catch {
    return true;
  } finally {
    session.close();
  }
}
