import { join } from "node:path";
import type { CallOptions, Client } from "@connectrpc/connect";
import { as, type Caller } from "@xcloudflow/chassis/caller";
import { createApiClient } from "@xcloudflow/chassis/clients";
import { CodedError } from "@xcloudflow/model/coded-error";
import type { ApiService } from "@xcloudflow/proto/api/v1/api_pb";
import { findRepository, RepositoryMissingError, readGitIdentity } from "./repository-cli.ts";
import { type CommonOptions, type Surroundings, startSelf } from "./surroundings.ts";

/** A control plane to ask: the embedded one of this repository, or a mesh. Verbs cannot tell which. */
export interface Session {
  readonly api: Client<typeof ApiService>;
  /** Top folder of the repository as the control plane knows it: what `repository` fields of requests hold; empty outside one. */
  readonly repository: string;
  /** Who the caller says to be; a mesh goes by the token instead. */
  readonly subject: string;
  /** To be passed with every call. */
  readonly call: CallOptions;
  close(): void;
}

/** Thrown when a mesh is named and no token is. */
export class TokenMissingError extends CodedError {
  constructor(server: string) {
    super("TOKEN_MISSING", "unauthenticated", {
      where: server,
      what: "this server needs a token",
      hint: "set XCF_TOKEN; an admin makes one with `xcf token create`",
    });
  }
}

/** Thrown when the server is not named by an http or https URL. */
export class ServerAddressInvalidError extends CodedError {
  constructor(server: string) {
    super("SERVER_ADDRESS_INVALID", "invalid", {
      where: server,
      what: "this is no address of a server",
      hint: "give --server or XCF_SERVER as https://host:port; `xcf up` prints its own",
    });
  }
}

/** Opens the control plane a verb is meant for. */
export async function openSession(surroundings: Surroundings, options: CommonOptions): Promise<Session> {
  const server = options.server ?? surroundings.environment.XCF_SERVER;
  return server === undefined || server === "" ? openEmbedded(surroundings) : openRemote(surroundings, server);
}

async function openRemote(surroundings: Surroundings, server: string): Promise<Session> {
  if (!/^https?:$/.test(URL.parse(server)?.protocol ?? "")) throw new ServerAddressInvalidError(server);
  const token = surroundings.environment.XCF_TOKEN;
  if (token === undefined || token === "") throw new TokenMissingError(server);
  const { createGrpcTransport } = await import("@connectrpc/connect-node");
  const repository = surroundings.environment.XCF_REPOSITORY ?? (await findRepositoryIfAny(surroundings.directory));
  return {
    api: createApiClient(createGrpcTransport({ baseUrl: server })),
    repository,
    subject: "",
    call: { headers: { authorization: `Bearer ${token}` } },
    close: () => undefined,
  };
}

/** Most verbs ask a mesh about what it keeps, from any folder; those that need a repository say so themselves. */
async function findRepositoryIfAny(directory: string): Promise<string> {
  try {
    return await findRepository(directory);
  } catch (error) {
    if (error instanceof RepositoryMissingError) return "";
    throw error;
  }
}

async function openEmbedded(surroundings: Surroundings): Promise<Session> {
  const { directory } = surroundings;
  const repository = await findRepository(directory);
  const { connectOwner } = await import("@xcloudflow/embedded/owner/owner-client");
  const caller = await embeddedCaller(surroundings, repository);
  const connection = await connectOwner({
    dir: join(repository, ".xcf"),
    version: surroundings.version,
    clock: surroundings.clock,
    command: startSelf(surroundings, "owner", join(repository, ".xcf")),
  });
  return {
    api: createApiClient(connection.transport),
    repository,
    subject: caller.subject,
    call: as(caller),
    close: () => connection.close(),
  };
}

/** Who calls the embedded control plane: as the environment says, with every role, and recorded as asserted. */
export async function embeddedCaller(surroundings: Surroundings, repository: string): Promise<Caller> {
  const subject = await callerName(surroundings, repository);
  return {
    tenant: "default",
    subject,
    groups: listOf(surroundings.environment.XCF_GROUPS),
    roles: ["admin", "approver"],
    assurance: "asserted",
  };
}

async function callerName({ environment }: Surroundings, repository: string): Promise<string> {
  const name = environment.XCF_USER;
  return name === undefined || name === "" ? readGitIdentity(repository) : name;
}

function listOf(text: string | undefined): string[] {
  return (text ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}
