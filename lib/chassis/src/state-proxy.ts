import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, request as sendRequest } from "node:https";
import type { Logger } from "./logger.ts";
import type { NodeHandler } from "./rpc-handler.ts";
import type { TlsMaterial } from "./tls-files.ts";

export interface StateProxy {
  readonly handler: NodeHandler;
  close(): void;
}

/** Of one connection, not of a request (RFC 9110, 7.6.1); `host` names another server. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "host",
]);

/**
 * Passes requests below `/terraform/` on to the state service with the mesh's certificate: engines and people's own
 * Terraform have none. Bodies stream through. Who asks is for the state service to find out, from the password.
 *
 * A state service that cannot be reached is 503, which Terraform tries again by itself.
 *
 * @param places `https://host:port` of each replica; a request goes to the next when one does not take connections.
 */
export function createStateProxy(places: readonly string[], tls: TlsMaterial, logger: Logger): StateProxy {
  const agent = new Agent({ ...tls, keepAlive: true, minVersion: "TLSv1.3", ALPNProtocols: ["http/1.1"] });
  let turn = 0;

  function pass(request: IncomingMessage, response: ServerResponse, tries: number): void {
    turn = (turn + 1) % 1_000_000;
    const place = places[turn % places.length] ?? "";
    const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !HOP_BY_HOP.has(name)));
    const onward = sendRequest(new URL(request.url ?? "/", place), { agent, method: request.method, headers });
    let connected = false;
    onward.once("socket", (socket) => {
      const begin = (): void => {
        connected = true;
        request.pipe(onward);
      };
      // A socket of the agent's may be open already.
      if (!socket.connecting && onward.reusedSocket) begin();
      else socket.once("secureConnect", begin);
    });
    onward.once("response", (answer) => {
      const kept = Object.entries(answer.headers).filter(([name]) => !HOP_BY_HOP.has(name));
      response.writeHead(answer.statusCode ?? 502, Object.fromEntries(kept));
      answer.pipe(response);
      answer.once("error", () => response.destroy());
    });
    onward.once("error", (error) => {
      if (!connected && tries < places.length) return pass(request, response, tries + 1);
      logger.warn("the state service cannot be reached", { place, error: error.message });
      if (response.headersSent) response.destroy();
      else response.writeHead(503, { "content-type": "text/plain", "retry-after": "1" }).end("state is away\n");
    });
    response.once("close", () => {
      if (!response.writableFinished) onward.destroy();
    });
  }

  return {
    handler: (request, response) => {
      const path = new URL(request.url ?? "/", "http://state").pathname;
      if (path.startsWith("/terraform/")) return pass(request, response, 1);
      response.writeHead(404, { "content-type": "text/plain" }).end("not found\n");
    },
    close: () => agent.destroy(),
  };
}
