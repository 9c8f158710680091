import { type ClientRequest, type IncomingMessage, ServerResponse } from "node:http";
import { Agent, request as sendRequest } from "node:https";
import { CALLER_HEADER } from "./caller.ts";
import type { Logger } from "./logger.ts";
import { isTrustProblem, PeerUntrustedError, verifyService } from "./peer-trust.ts";
import type { AnyHandler, AnyRequest, AnyResponse } from "./rpc-handler.ts";
import type { TlsMaterial } from "./tls-files.ts";

export interface StateProxy {
  readonly handler: AnyHandler;
  close(): void;
}

export interface StateProxyTimes {
  /** How long a replica may take to accept a connection, in milliseconds. Default 5 s. */
  readonly connect?: number;
  /** How long nothing may move on a connection while a request runs, in milliseconds. Default 60 s. */
  readonly silence?: number;
}

const CONNECT_MS = 5_000;
const SILENCE_MS = 60_000;

/** Of one connection, not of a request (RFC 9110, 7.6.1); `host` names another server. */
const HOP_BY_HOP: readonly string[] = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "host",
  // Of ours, which only members of the mesh set.
  CALLER_HEADER,
];

/**
 * Passes requests below `/terraform/` on to the state service with the mesh's certificate: engines and people's own
 * Terraform have none. Bodies stream through. Who asks is for the state service to find out, from the password.
 *
 * A state service that cannot be reached is 503, which Terraform tries again by itself.
 *
 * @param places `https://host:port` of each replica; a request goes to the next when one does not take connections.
 */
export function createStateProxy(
  places: readonly string[],
  tls: TlsMaterial,
  logger: Logger,
  { connect = CONNECT_MS, silence = SILENCE_MS }: StateProxyTimes = {},
): StateProxy {
  const replicas = places.map((place) => new URL(place));
  const agent = new Agent({
    ...tls,
    keepAlive: true,
    minVersion: "TLSv1.3",
    ALPNProtocols: ["http/1.1"],
    checkServerIdentity: verifyService("state"),
  });
  let turn = 0;

  function pass(request: AnyRequest, response: AnyResponse, path: string, tries: number): void {
    turn = (turn + 1) % 1_000_000;
    const replica = replicas[turn % replicas.length];
    if (replica === undefined) throw new Error("the state service has at least one address");
    const onward = sendRequest({
      agent,
      host: replica.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: replica.port === "" ? 443 : replica.port,
      path,
      method: request.method,
      headers: ownHeaders(request.headers),
    });
    let connected = false;
    let answered = false;
    const tooSlow = setTimeout(() => onward.destroy(new Error("it takes no connections")), connect);
    whenConnected(onward, () => {
      clearTimeout(tooSlow);
      connected = true;
      request.pipe(onward);
    });
    onward.setTimeout(silence, () => onward.destroy(new Error("it has gone silent")));
    onward.once("response", (answer) => {
      answered = true;
      giveAnswer(answer, response);
    });
    onward.on("error", (error) => {
      clearTimeout(tooSlow);
      if (!connected && !response.destroyed && tries < replicas.length) return pass(request, response, path, tries + 1);
      request.unpipe(onward);
      request.resume();
      // An answer that came before the request was read to its end is an answer.
      if (answered || response.destroyed) return;
      const reason = isTrustProblem(error) ? new PeerUntrustedError("state", error).message : error.message;
      logger.warn("the state service cannot be reached", { place: replica.host, error: reason });
      refuse(response, 503, "state is away", { "retry-after": "1" });
    });
    response.once("close", () => onward.destroy());
  }

  return {
    handler: (request, response) => {
      const path = statePath(request.url);
      if (path === undefined) refuse(response, 404, "not found");
      else pass(request, response, path, 1);
    },
    close: () => agent.destroy(),
  };
}

/** Path and query below `/terraform/`, detours followed; whatever server a request line names, it is not asked. */
function statePath(url: string | undefined): string | undefined {
  const parsed = URL.parse(url ?? "", "http://state");
  if (parsed?.host !== "state" || !parsed.pathname.startsWith("/terraform/")) return undefined;
  return `${parsed.pathname}${parsed.search}`;
}

/** What is of the request; `connection` names further headers that are not. */
function ownHeaders(headers: IncomingMessage["headers"]): IncomingMessage["headers"] {
  const named = (headers.connection ?? "").split(",").map((name) => name.trim().toLowerCase());
  const dropped = new Set([...HOP_BY_HOP, ...named]);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(":") && !dropped.has(name)));
}

function whenConnected(onward: ClientRequest, begin: () => void): void {
  onward.once("socket", (socket) => {
    // A socket of the agent's may be open already.
    if (!socket.connecting && onward.reusedSocket) begin();
    else socket.once("secureConnect", begin);
  });
}

function giveAnswer(answer: IncomingMessage, response: AnyResponse): void {
  writeHead(response, answer.statusCode ?? 502, ownHeaders(answer.headers));
  answer.once("error", () => response.destroy());
  answer.pipe(response);
}

function refuse(response: AnyResponse, status: number, text: string, headers: IncomingMessage["headers"] = {}): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  writeHead(response, status, { "content-type": "text/plain", ...headers });
  response.end(`${text}\n`);
}

/** The two versions of HTTP have each a type of their own for the same call. */
function writeHead(response: AnyResponse, status: number, headers: IncomingMessage["headers"]): void {
  if (response instanceof ServerResponse) response.writeHead(status, headers);
  else response.writeHead(status, headers);
}
