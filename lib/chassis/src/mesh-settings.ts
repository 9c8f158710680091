import { z } from "zod";
import { LOG_LEVELS } from "./logger.ts";
import type { MeshPlaces } from "./mesh-transport.ts";
import { MESH_SERVICES, type MeshService } from "./peer-identity.ts";

/** `host:port` as `{host, port}`; IPv6 hosts in brackets. */
export const listenAddress = z.string().transform((text, context) => {
  const [, host = "", digits = ""] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (host === "" || port > 65535) {
    context.addIssue({ code: "custom", message: "must be host:port, such as 127.0.0.1:8443" });
    return z.NEVER;
  }
  return { host: host.replace(/^\[(.*)\]$/, "$1"), port };
});

/** One or more `https://host:port`, separated by commas. */
export const placeList = z.string().transform((text, context) => {
  const urls = text.split(",").map((url) => url.trim());
  for (const url of urls) {
    const parsed = URL.parse(url);
    if (parsed !== null && `${parsed.origin}/` === parsed.href && parsed.protocol === "https:") continue;
    context.addIssue({ code: "custom", message: "must be https://host:port, or several separated by commas" });
    return z.NEVER;
  }
  return urls;
});

/** A whole number above zero. */
export const count = z
  .string()
  .regex(/^[1-9]\d{0,8}$/, "must be a whole number above zero")
  .transform(Number);

/** A whole number of seconds, zero included. */
export const seconds = z
  .string()
  .regex(/^\d{1,6}$/, "must be a whole number of seconds")
  .transform(Number);

/** Settings of every process of the mesh. */
export const memberSettings = {
  XCF_LISTEN: listenAddress,
  XCF_PROBE_LISTEN: listenAddress.optional(),
  XCF_TLS_CERT: z.string(),
  XCF_TLS_KEY: z.string(),
  XCF_TLS_CA: z.string(),
  XCF_TRUST_DOMAIN: z.string().default("xcloudflow"),
  XCF_LOG: z.enum(LOG_LEVELS).default("info"),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
  /** Set by whoever starts the process with a pipe as its standard input: the process ends when the pipe does. */
  XCF_PARENT_PIPE: z.literal("1").optional(),
};

export type MemberSettings = z.infer<z.ZodObject<typeof memberSettings>>;

/** A runner serves nobody. */
export const runnerSettings = { ...memberSettings, XCF_LISTEN: listenAddress.optional() };
export type RunnerSettings = z.infer<z.ZodObject<typeof runnerSettings>>;

/** `XCF_STATE_URL` and its like, for the services that a process calls. */
export function placeSettings(needed: readonly MeshService[]): Record<string, typeof placeList> {
  return Object.fromEntries(needed.map((name) => [placeVariable(name), placeList]));
}

/** The addresses that settings read by `placeSettings` give. */
export function placesOf(settings: Readonly<Record<string, readonly string[]>>): MeshPlaces {
  return Object.fromEntries(
    MESH_SERVICES.flatMap((name) => {
      const urls = settings[placeVariable(name)];
      return urls === undefined ? [] : [[name, urls]];
    }),
  );
}

function placeVariable(name: MeshService): string {
  return `XCF_${name.toUpperCase()}_URL`;
}
