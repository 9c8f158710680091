import type { Server } from "node:net";
import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when a server cannot listen where it was told to. */
export class AddressUnavailableError extends CodedError {
  constructor(host: string, port: number, cause: unknown) {
    const taken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
    super("ADDRESS_UNAVAILABLE", "unavailable", {
      what: taken ? `port ${port} of ${host} is in use` : `cannot listen on ${host}:${port}`,
      hint: taken
        ? "stop what uses it, or choose another port (0 takes a free one)"
        : "choose an address of this machine",
      cause,
    });
  }
}

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** `http://host:port`, IPv6 in brackets. */
  readonly url: string;
}

/** @throws {AddressUnavailableError} when the port is taken or the address is not this machine's. */
export async function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<ListenAddress> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(port, host, resolve);
  try {
    await promise;
  } catch (cause) {
    throw new AddressUnavailableError(host, port, cause);
  } finally {
    server.off("error", reject);
  }
  const bound = server.address();
  const actual = typeof bound === "object" && bound !== null ? bound.port : port;
  return { host, port: actual, url: `http://${host.includes(":") ? `[${host}]` : host}:${actual}` };
}
