import { hostname } from "node:os";
import type { Transport } from "@connectrpc/connect";
import { createClients, type ServiceClients } from "./clients.ts";
import { type Clock, createSystemClock } from "./clock.ts";
import { createIds, type Ids } from "./ids.ts";
import { createLogger, type Logger } from "./logger.ts";
import type { RunnerSettings } from "./mesh-settings.ts";
import { createMeshTransport, type MeshPlaces } from "./mesh-transport.ts";
import { createSystemRandom, type Random } from "./random.ts";
import { readTlsFiles, type TlsMaterial } from "./tls-files.ts";

/** What a process has once it is a member of the mesh. */
export interface MeshMember {
  /** `state`, or `runner-terraform-apply`. */
  readonly name: string;
  /** Unique among running processes. */
  readonly instance: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly tls: TlsMaterial;
  /** Reaches the services whose addresses the settings give. */
  readonly transport: Transport;
  readonly clients: ServiceClients;
}

/** @throws {TlsFilesUnusableError} when the member's certificate cannot be used. */
export async function createMeshMember(
  name: string,
  settings: RunnerSettings,
  places: MeshPlaces,
): Promise<MeshMember> {
  const clock = createSystemClock();
  const random = createSystemRandom();
  const logger = createMemberLogger(name, clock, settings.XCF_LOG);
  const files = { cert: settings.XCF_TLS_CERT, key: settings.XCF_TLS_KEY, ca: settings.XCF_TLS_CA };
  const tls = await readTlsFiles(files, clock.now());
  const transport = createMeshTransport({ places, tls, clock });
  return {
    name,
    instance: `${name}-${hostname()}-${process.pid}`,
    clock,
    random,
    ids: createIds(clock, random),
    logger,
    tls,
    transport,
    clients: createClients(transport),
  };
}

/** Lines on standard error, each naming the process it is of. */
export function createMemberLogger(name: string, clock: Clock, level: RunnerSettings["XCF_LOG"]): Logger {
  return createLogger({
    level,
    now: () => clock.now(),
    write: (line) => void process.stderr.write(`${line}\n`),
    fields: { process: name },
  });
}
