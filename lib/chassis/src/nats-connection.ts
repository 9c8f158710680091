import { readFileSync } from "node:fs";
import {
  AuthorizationError,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  errors,
  type NatsConnection,
  type TlsOptions,
} from "@nats-io/transport-node";
import { z } from "zod";
import { type Clock, pause } from "./clock.ts";
import type { Logger } from "./logger.ts";
import { NatsFileUnreadableError, NatsForbiddenError, NatsTlsError, NatsUnreachableError } from "./nats-errors.ts";

/** Variables of a process that speaks to NATS, for `readConfig`; merge its shape into the process's own. */
export const natsConfigShape = {
  /** `nats://host:4222`, several separated by commas. */
  XCF_NATS_URL: z.string().regex(/^(nats|tls):\/\/\S+$/, "addresses like nats://host:4222, separated by commas"),
  /** Files in PEM: the authority of the server's certificate, our certificate and its key. */
  XCF_NATS_CA: z.string().optional(),
  XCF_NATS_CERT: z.string().optional(),
  XCF_NATS_KEY: z.string().optional(),
  XCF_NATS_USER: z.string().optional(),
  XCF_NATS_PASSWORD: z.string().optional(),
  /** A credentials file of `nsc`, instead of user and password; read again at each reconnect. */
  XCF_NATS_CREDS: z.string().optional(),
};
const natsConfigSchema = z.object(natsConfigShape);
export type NatsConfig = z.infer<typeof natsConfigSchema>;

export interface NatsConnectionOptions {
  readonly config: NatsConfig;
  /** What the server's monitoring calls this connection: the process's name. */
  readonly name: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long the first connection is tried for while nobody answers, in milliseconds. Default 10 s. */
  readonly patienceMs?: number;
}

const RECONNECT_MS = 250;
const TIMEOUT_MS = 5_000;
/** A frozen server is noticed after two of them. */
const PING_MS = 5_000;

/**
 * Connects to the mesh's NATS, and reconnects for ever once it has. What waiting cannot mend is thrown at once.
 *
 * @throws {NatsUnreachableError} @throws {NatsForbiddenError} @throws {NatsTlsError} @throws {NatsFileUnreadableError}
 */
export async function connectNats(options: NatsConnectionOptions): Promise<NatsConnection> {
  const { config, clock, logger, patienceMs = 10_000 } = options;
  const settings = connectionOptions(config, options.name);
  const deadline = clock.now().getTime() + patienceMs;
  for (;;) {
    try {
      const connection = await connect(settings);
      void logStatus(connection, logger);
      return connection;
    } catch (error) {
      const problem = explainNatsError(error, config.XCF_NATS_URL);
      if (!(problem instanceof NatsUnreachableError)) throw problem;
      if (clock.now().getTime() >= deadline)
        throw isSilence(error) && settings.tls ? new NatsTlsError(config.XCF_NATS_URL, REFUSED_IN_SILENCE) : problem;
      await pause(clock, RECONNECT_MS);
    }
  }
}

function connectionOptions(config: NatsConfig, name: string): ConnectionOptions {
  const { XCF_NATS_USER: user, XCF_NATS_PASSWORD: pass, XCF_NATS_CREDS: creds } = config;
  const tls = tlsOptions(config);
  if (creds !== undefined) readSetting("XCF_NATS_CREDS", creds);
  return {
    servers: config.XCF_NATS_URL.split(",").map((address) => address.trim()),
    name,
    timeout: TIMEOUT_MS,
    pingInterval: PING_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_MS,
    ignoreAuthErrorAbort: true,
    // They cost more than the message itself, and our own errors say where.
    noAsyncTraces: true,
    ...(tls === undefined ? {} : { tls }),
    ...(user === undefined ? {} : { user, ...(pass === undefined ? {} : { pass }) }),
    ...(creds === undefined ? {} : { authenticator: credsAuthenticator(() => readSetting("XCF_NATS_CREDS", creds)) }),
  };
}

function tlsOptions(config: NatsConfig): TlsOptions | undefined {
  const { XCF_NATS_CA: ca, XCF_NATS_CERT: cert, XCF_NATS_KEY: key, XCF_NATS_URL: url } = config;
  const text = (variable: string, path: string): string => new TextDecoder().decode(readSetting(variable, path));
  if (ca === undefined && cert === undefined && !url.startsWith("tls:")) return undefined;
  return {
    ...(ca === undefined ? {} : { ca: text("XCF_NATS_CA", ca) }),
    ...(cert === undefined ? {} : { cert: text("XCF_NATS_CERT", cert) }),
    ...(key === undefined ? {} : { key: text("XCF_NATS_KEY", key) }),
  };
}

function readSetting(variable: string, path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new NatsFileUnreadableError(variable, path, error);
  }
}

const TLS_PROBLEM = /tls|ssl|certificate|self.signed|altnames|unable to verify|EPROTO|bad record/i;

/** The coded error for what the client threw while it connected. */
export function explainNatsError(
  error: unknown,
  where: string,
): NatsUnreachableError | NatsForbiddenError | NatsTlsError | NatsFileUnreadableError {
  if (error instanceof NatsFileUnreadableError) return error;
  if (error instanceof AuthorizationError || error instanceof errors.UserAuthenticationExpiredError)
    return new NatsForbiddenError(where, error);
  const text = error instanceof Error ? `${error.message} ${codeOf(error)} ${codeOf(error.cause)}` : String(error);
  return TLS_PROBLEM.test(text) ? new NatsTlsError(where, error) : new NatsUnreachableError(where, error);
}

/** A server that does not like our certificate says so only after the handshake, which the client takes for silence. */
const REFUSED_IN_SILENCE = "the server went silent after the handshake, as it does when it refuses our certificate";

function isSilence(error: unknown): boolean {
  return error instanceof errors.TimeoutError || (error instanceof Error && error.message === "timeout");
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  return `${error.message} ${"code" in error ? String(error.code) : ""}`;
}

async function logStatus(connection: NatsConnection, logger: Logger): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === "disconnect") logger.warn("NATS connection lost", { server: status.server });
    if (status.type === "reconnect") logger.info("NATS connection is back", { server: status.server });
    if (status.type === "error") logger.warn("NATS refused something", { error: status.error });
  }
}
