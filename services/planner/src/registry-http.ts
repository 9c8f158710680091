import { lookup as lookupAddress } from "node:dns";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { request } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import type { SecretText } from "@xcloudflow/model/secret-text";
import { isPublicAddress } from "./public-address.ts";
import { plainUrl, RegistryModuleUnavailableError } from "./registry-errors.ts";

/** A question to a registry, or to where it keeps its archives. */
export interface RegistryRequest {
  readonly url: URL;
  /** Sent to `url`'s own host and port only, whatever is redirected. */
  readonly token: SecretText | undefined;
  /** `host[:port]` that may be at a private address. */
  readonly trusted: ReadonlySet<string>;
  readonly maxBytes: number;
}

export interface RegistryAnswer {
  /** After redirects. */
  readonly url: URL;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface RegistryHttpSettings {
  /** Certificate authorities in PEM besides those that Node knows. */
  readonly authorities?: readonly string[];
  /** For one question with all its redirects. */
  readonly timeoutMilliseconds: number;
}

const MAX_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * GET over HTTPS with redirects. A host that nobody has allowed is reached at public addresses only: the address that is
 * judged is the one that is connected to, so that a name cannot change its mind in between.
 *
 * @throws {RegistryModuleUnavailableError}
 */
export async function askRegistry(question: RegistryRequest, settings: RegistryHttpSettings): Promise<RegistryAnswer> {
  const signal = AbortSignal.timeout(settings.timeoutMilliseconds);
  let { url } = question;
  for (let hops = 0; ; hops += 1) {
    const answer = await getOnce(url, question, settings, signal);
    if (!REDIRECTS.has(answer.status)) return answer;
    const next = parseUrl(answer.headers.location ?? "", url);
    if (next === undefined || hops === MAX_REDIRECTS)
      throw new RegistryModuleUnavailableError("REGISTRY_ANSWER_INVALID", {
        where: plainUrl(url),
        what: next === undefined ? "it redirects to no address" : `it redirects more than ${MAX_REDIRECTS} times`,
        hint: "ask whoever runs the registry",
      });
    url = next;
  }
}

export function parseUrl(text: string, base?: URL): URL | undefined {
  return text === "" ? undefined : (URL.parse(text, base?.href) ?? undefined);
}

async function getOnce(
  url: URL,
  question: RegistryRequest,
  { authorities }: RegistryHttpSettings,
  signal: AbortSignal,
): Promise<RegistryAnswer> {
  const trusted = question.trusted.has(url.host);
  checkScheme(url);
  if (!trusted) checkLiteral(url);
  const token = url.host === question.url.host ? question.token : undefined;
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request(url, {
        agent: false,
        signal,
        headers: {
          accept: "application/json, */*",
          "user-agent": "xcloudflow",
          ...(token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` }),
        },
        ...(authorities === undefined ? {} : { ca: [...authorities] }),
        ...(trusted ? {} : { lookup: publicLookup }),
      })
        .on("response", resolve)
        .on("error", reject)
        .end();
    });
    return {
      url,
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: await readBody(response, url, question.maxBytes),
    };
  } catch (error) {
    if (error instanceof RegistryModuleUnavailableError) throw error;
    const seen = signal.aborted ? "it does not answer in time" : detailOf(error);
    throw new RegistryModuleUnavailableError("REGISTRY_UNAVAILABLE", {
      where: plainUrl(url),
      what: `it cannot be reached: ${seen}`,
      hint: "check the address and the network; NODE_EXTRA_CA_CERTS names a private certificate authority",
      cause: error,
    });
  }
}

function detailOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(detailOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}

async function readBody(response: IncomingMessage, url: URL, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    const bytes: Buffer = chunk;
    size += bytes.length;
    if (size > maxBytes) {
      response.destroy();
      throw new RegistryModuleUnavailableError("REGISTRY_ARCHIVE_INVALID", {
        where: plainUrl(url),
        what: `it answers with more than ${Math.floor(maxBytes / 1024)} KiB`,
        hint: "a module this large belongs into a Git repository: use git::<url>//<folder>?ref=<commit>",
      });
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

function checkScheme(url: URL): void {
  if (url.protocol === "https:") return;
  throw new RegistryModuleUnavailableError("REGISTRY_SOURCE_UNSUPPORTED", {
    where: plainUrl(url),
    what: `${url.protocol.slice(0, -1)} is not spoken with registries`,
    hint: "registries and their archives are reached over https",
  });
}

/** Node asks no lookup about a host that is an address already. */
function checkLiteral(url: URL): void {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (isIP(host) !== 0 && !isPublicAddress(host)) throw privateAddressError(url.host);
}

/** Refuses a name as soon as one of its addresses is private. */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookupAddress(hostname, { ...options, all: true }, (error, addresses) => {
    const [first] = addresses ?? [];
    if (error !== null || first === undefined) callback(error ?? new Error(`${hostname} has no address`), "", 0);
    else if (!addresses.every(({ address }) => isPublicAddress(address)))
      callback(privateAddressError(hostname), "", 0);
    else if (options.all === true) callback(null, addresses);
    else callback(null, first.address, first.family);
  });
};

export function privateAddressError(host: string): RegistryModuleUnavailableError {
  return new RegistryModuleUnavailableError("REGISTRY_HOST_NOT_ALLOWED", {
    where: host,
    what: "this host is at a private address, and .xcf.yaml does not list it",
    hint: "add it to spec.registries.hosts of .xcf.yaml, if modules may come from there",
  });
}
