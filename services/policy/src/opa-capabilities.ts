import { z } from "zod";

/**
 * Built-ins that no policy may use, with the reason a person reads. A policy decides from its input and data alone; what
 * reaches the network, the file system or the machine's environment is a hole in a process that runs whatever a pull
 * request proposes. The rest of `net.*` (`net.cidr_contains` …) is arithmetic and stays.
 */
export const REMOVED_BUILTINS: ReadonlyMap<string, string> = new Map([
  ["http.send", "it reaches the network"],
  ["net.lookup_ip_addr", "it asks a name server"],
  ["opa.runtime", "it shows the environment of the process"],
  ["json.match_schema", "a `$ref` in a schema is fetched from the network or a file"],
  ["json.verify_schema", "a `$ref` in a schema is fetched from the network or a file"],
]);

const capabilitiesSchema = z.looseObject({ builtins: z.array(z.looseObject({ name: z.string() })) });

/**
 * OPA's own capabilities (`opa capabilities --current`) without the removed built-ins, and with no host that schemas in
 * annotations may be fetched from: the text of a file for `--capabilities`.
 */
export function restrictCapabilities(current: string): string {
  const capabilities = capabilitiesSchema.parse(JSON.parse(current));
  return JSON.stringify({
    ...capabilities,
    builtins: capabilities.builtins.filter(({ name }) => !REMOVED_BUILTINS.has(name)),
    allow_net: [],
  });
}
