import { lookup } from "node:dns";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { connect, isIP, type LookupFunction } from "node:net";
import type { Duplex } from "node:stream";
import type { Logger } from "@xcloudflow/chassis/logger";
import { type EgressTarget, isLocalAddress, mayLeave, parseEgressTarget } from "./egress-list.ts";

/**
 * An HTTP proxy that tunnels (CONNECT, RFC 9110 9.3.6) to what is on a list, and to nothing else. What passes is TLS
 * between the engine and the other end; names are looked up here, since the engine's network has no other way out.
 */
export function createEgressProxy(list: readonly EgressTarget[], logger: Logger): Server {
  const server = createServer((request, response) => {
    // Without TLS nothing leaves: whoever is on the way could read and change it.
    logger.warn("an engine asked for a place without TLS", { url: request.url });
    response.writeHead(403, { "content-type": "text/plain" }).end("only CONNECT is allowed here\n");
  });
  server.on("connect", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    const target = parseEgressTarget(request.url ?? "");
    if (target === undefined || target.host.startsWith("*") || !mayLeave(list, target)) {
      logger.warn("an engine was kept from a place that is not on its list", { target: request.url });
      socket.end(
        "HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\n\r\nnot on the list of this pool (XCF_EGRESS)\n",
      );
      return;
    }
    const onward = connect({ ...target, lookup: lookupAbroad });
    let connected = false;
    onward.once("connect", () => {
      connected = true;
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    onward.on("error", (error) => {
      logger.warn("an engine's connection failed", { target: request.url, error: error.message });
      if (connected) socket.destroy();
      else socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    });
    socket.once("close", () => onward.destroy());
  });
  return server;
}

/** Not called for an address: that is on the list itself, as it stands there. */
const lookupAbroad: LookupFunction = (host, options, done) => {
  lookup(host, { ...options, all: true }, (error, found) => {
    const abroad = (found ?? []).filter(({ address }) => !isLocalAddress(address));
    const [first] = abroad;
    if (error === null && first !== undefined)
      return options.all === true ? done(null, abroad) : done(null, first.address, first.family);
    const reason = error ?? Object.assign(new Error(`${host} leads to this machine`), { code: "EACCES" });
    done(reason, isIP(host) === 0 ? "" : host, 0);
  });
};
