import { BlockList, isIP } from "node:net";

/** Where an isolated engine may connect to: `host:port`, or `*.domain:port` for every host below a domain. */
export interface EgressTarget {
  readonly host: string;
  readonly port: number;
}

const TARGET = /^(\*\.)?((?:[A-Za-z0-9-]{1,63}\.)*[A-Za-z0-9-]{1,63}|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/;

/** Undefined when the text is no target. */
export function parseEgressTarget(text: string): EgressTarget | undefined {
  const [, wildcard = "", name = "", digits = ""] = TARGET.exec(text) ?? [];
  const port = Number(digits);
  const host = name.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  if (host === "" || port < 1 || port > 65_535 || (wildcard !== "" && isIP(host) !== 0)) return undefined;
  return { host: wildcard + host, port };
}

export function mayLeave(list: readonly EgressTarget[], { host, port }: EgressTarget): boolean {
  return list.some(
    (allowed) =>
      allowed.port === port &&
      (allowed.host === host || (allowed.host.startsWith("*.") && host.endsWith(allowed.host.slice(1)))),
  );
}

const LOCAL = new BlockList();
LOCAL.addSubnet("0.0.0.0", 8, "ipv4");
LOCAL.addSubnet("127.0.0.0", 8, "ipv4");
LOCAL.addSubnet("169.254.0.0", 16, "ipv4");
LOCAL.addSubnet("::", 128, "ipv6");
LOCAL.addSubnet("::1", 128, "ipv6");
LOCAL.addSubnet("fe80::", 10, "ipv6");
// The metadata service of AWS over IPv6.
LOCAL.addAddress("fd00:ec2::254", "ipv6");

/**
 * Addresses of the machine itself and of its cloud's metadata service. An allowed name that leads there is somebody's
 * attempt to get there: only the address itself on the list opens it.
 */
export function isLocalAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return true;
  // An IPv4 address in IPv6 clothes is looked at as what it is.
  return LOCAL.check(address, family === 4 ? "ipv4" : "ipv6");
}
