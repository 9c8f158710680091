import type { SecretText } from "@xcloudflow/model/secret-text";
import { z } from "zod";
import { plainUrl, RegistryModuleUnavailableError } from "./registry-errors.ts";
import { askRegistry, parseUrl, type RegistryAnswer, type RegistryHttpSettings } from "./registry-http.ts";
import { parseRegistryLocation, type RegistryLocation } from "./registry-location.ts";

/** One version of a module, where it is published. */
export interface RegistryModule {
  /** `host[:port]` */
  readonly host: string;
  readonly namespace: string;
  readonly name: string;
  readonly system: string;
  readonly version: string;
}

export interface RegistryAccess extends RegistryHttpSettings {
  readonly token: SecretText | undefined;
  readonly trusted: ReadonlySet<string>;
}

/** Documents are small; a registry with a hundred thousand versions is none. */
const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024;

const discoverySchema = z.object({ "modules.v1": z.string().optional() });
const versionsSchema = z.object({
  modules: z.array(z.object({ versions: z.array(z.object({ version: z.string() })) })).min(1),
});
const downloadSchema = z.object({ location: z.string().min(1) });

/**
 * Where a module registry (protocol `modules.v1`) keeps exactly this version.
 *
 * @throws {RegistryModuleUnavailableError}
 */
export async function locateModule(module: RegistryModule, access: RegistryAccess): Promise<RegistryLocation> {
  const service = await discover(module.host, access);
  const base = new URL(`${module.namespace}/${module.name}/${module.system}/`, service);
  await checkVersion(module, new URL("versions", base), access);
  const answer = await ask(new URL(`${encodeURIComponent(module.version)}/download`, base), module, access);
  // Newer registries answer with a document, older ones with a header; the header counts where both are there.
  const header = answer.headers["x-terraform-get"];
  const text = typeof header === "string" && header !== "" ? header : readDocument(answer, downloadSchema).location;
  return parseRegistryLocation(text, answer.url);
}

/** Terraform's service discovery; the answer may be relative, and may lie on another host. */
async function discover(host: string, access: RegistryAccess): Promise<URL> {
  const url = new URL(`https://${host}/.well-known/terraform.json`);
  const answer = await ask(url, { host, namespace: "", name: "", system: "", version: "" }, access);
  const found = parseUrl(readDocument(answer, discoverySchema)["modules.v1"] ?? "", answer.url);
  if (found === undefined)
    throw new RegistryModuleUnavailableError("REGISTRY_ANSWER_INVALID", {
      where: host,
      what: "this host is no module registry: it does not offer modules.v1",
      hint: "correct the host in the ref",
    });
  if (!found.pathname.endsWith("/")) found.pathname += "/";
  return found;
}

async function checkVersion(module: RegistryModule, url: URL, access: RegistryAccess): Promise<void> {
  const { modules } = readDocument(await ask(url, module, access), versionsSchema);
  const versions = modules.flatMap((entry) => entry.versions.map(({ version }) => version));
  if (versions.includes(module.version)) return;
  const some = versions.slice(-5).join(", ");
  throw new RegistryModuleUnavailableError("REGISTRY_MODULE_MISSING", {
    where: plainUrl(url),
    what: `the registry has no version ${module.version} of ${nameOf(module)}`,
    hint: some === "" ? "it has none at all" : `it has ${versions.length} versions, among them ${some.slice(0, 300)}`,
  });
}

async function ask(url: URL, module: RegistryModule, access: RegistryAccess): Promise<RegistryAnswer> {
  // A registry's token is for that host; a service that it places elsewhere does not get it.
  const token = url.host === module.host ? access.token : undefined;
  const answer = await askRegistry({ url, token, trusted: access.trusted, maxBytes: MAX_DOCUMENT_BYTES }, access);
  const where = plainUrl(answer.url);
  if (answer.status === 401 || answer.status === 403)
    throw new RegistryModuleUnavailableError("REGISTRY_FORBIDDEN", {
      where,
      what: `the registry refuses (${answer.status})${access.token === undefined ? "; there is no token for it" : ""}`,
      hint: `set ${registryTokenVariable(module.host)} where the control plane runs`,
    });
  if (answer.status === 404 && module.name !== "")
    throw new RegistryModuleUnavailableError("REGISTRY_MODULE_MISSING", {
      where,
      what: `the registry has no module ${nameOf(module)}`,
      hint: "correct the ref; some registries answer so to whoever has no token",
    });
  if (answer.status !== 200 && answer.status !== 204)
    throw new RegistryModuleUnavailableError("REGISTRY_UNAVAILABLE", {
      where,
      what: `the registry answers ${answer.status}`,
      hint: "try again later, or check the host in the ref",
    });
  return answer;
}

function readDocument<T>(answer: RegistryAnswer, schema: z.ZodType<T>): T {
  let document: unknown;
  try {
    document = JSON.parse(answer.body.toString());
  } catch {
    document = undefined;
  }
  const parsed = schema.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new RegistryModuleUnavailableError("REGISTRY_ANSWER_INVALID", {
    where: plainUrl(answer.url),
    what: "the answer is not what the module registry protocol says",
    hint: "correct the host in the ref",
  });
}

function nameOf({ namespace, name, system }: RegistryModule): string {
  return `${namespace}/${name}/${system}`;
}

/** The variable that holds a host's token, by the name that Terraform gives it; a port follows like a part of the name. */
export function registryTokenVariable(host: string): string {
  return `TF_TOKEN_${host.replaceAll("-", "__").replaceAll(/[.:]/g, "_")}`;
}
