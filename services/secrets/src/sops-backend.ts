import { normalizeRepositoryPath } from "@xcloudflow/model/dsl/repository-path";
import { isJsonObject, type JsonValue } from "@xcloudflow/model/json-value";
import { parseJson } from "@xcloudflow/model/parse-json";
import { SecretText } from "@xcloudflow/model/secret-text";
import type { SecretBackendReader, SecretRequest } from "./secret-backend.ts";
import { findKey, secretTextOf } from "./secret-key.ts";
import { SecretFileRefusedError, SecretMissingError, SecretUnreadableError } from "./secrets-errors.ts";
import { decryptSops, findSops, type SopsPlaces } from "./sops-cli.ts";
import { keyServicesOf, parseEncrypted, sopsFormatOf } from "./sops-metadata.ts";

export interface SopsBackendOptions {
  readonly places: SopsPlaces;
  readonly ageKeyFile: string | undefined;
  /** Folder in the repository. */
  readonly root: string;
  /** Where the encrypted bytes may be put for the program. */
  readonly folder: string;
  /** A file of the repository as committed, never of a work tree; undefined when it is not there. */
  readonly readFile: (path: string) => Promise<Uint8Array | undefined>;
}

const TIMEOUT_MS = 30_000;

/** `secret://<backend>/<file>[#key]`: a file in the repository, encrypted by SOPS with age. Without a key the whole file. */
export function createSopsBackend(options: SopsBackendOptions): SecretBackendReader {
  const files = new Map<string, Promise<Uint8Array>>();
  const documents = new Map<string, Promise<Buffer>>();

  async function load(request: SecretRequest): Promise<Uint8Array> {
    const path = normalizeRepositoryPath(options.root === "" ? request.path : `${options.root}/${request.path}`);
    const bytes = path === undefined ? undefined : await options.readFile(path);
    if (bytes === undefined)
      throw new SecretMissingError(
        request.text,
        `the repository has no file ${path ?? request.path}`,
        "commit the file, or correct the path",
      );
    const services = keyServicesOf(textOf(bytes), sopsFormatOf(request.path));
    if (services === undefined)
      throw new SecretUnreadableError(
        request.text,
        "the file is not encrypted by SOPS",
        "encrypt it: sops encrypt -i --age <recipient> <file>",
      );
    const foreign = services.filter((name) => name !== "age");
    if (foreign.length > 0)
      throw new SecretFileRefusedError(request.text, `the file asks for keys of ${foreign.join(", ")}`);
    return bytes;
  }

  const file = (request: SecretRequest): Promise<Uint8Array> => once(files, request.path, () => load(request));

  async function decrypt(request: SecretRequest, output: "json" | "plain"): Promise<Buffer> {
    const { ageKeyFile, places, folder } = options;
    if (ageKeyFile === undefined) {
      throw new SecretUnreadableError(
        request.text,
        "no age key is configured",
        "set ageKeyFile of the backend, or SOPS_AGE_KEY_FILE of the control plane",
      );
    }
    const encrypted = await file(request);
    const answer = await decryptSops(encrypted, {
      binary: findSops(places),
      ageKeyFile,
      format: sopsFormatOf(request.path),
      output,
      folder,
      timeoutMs: TIMEOUT_MS,
    });
    if (answer.outcome === "decrypted") return answer.plain;
    throw new SecretUnreadableError(
      request.text,
      `sops cannot decrypt the file: ${answer.message}`,
      "check that the age key is one of the file's recipients",
    );
  }

  return {
    async read(request) {
      const output = request.key === undefined ? "plain" : "json";
      const plain = await once(documents, `${output} ${request.path}`, () => decrypt(request, output));
      if (request.key === undefined) return new SecretText(plain.toString("utf8"));
      return new SecretText(secretTextOf(requireKey(request, request.key, parseDecrypted(plain, request))));
    },
    async check(request) {
      const document = parseEncrypted(textOf(await file(request)), sopsFormatOf(request.path));
      if (request.key === undefined || document === undefined) return;
      requireKey(request, request.key, withoutMetadata(document));
    },
  };
}

/** No cause: a parser's message quotes what it could not read. */
function parseDecrypted(plain: Buffer, request: SecretRequest): JsonValue {
  try {
    return parseJson(plain.toString("utf8"), request.text);
  } catch {
    throw new SecretUnreadableError(request.text, "the decrypted file has no keys", "leave #key out of the reference");
  }
}

function requireKey(request: SecretRequest, key: string, document: JsonValue): JsonValue {
  const value = findKey(document, key);
  if (value === undefined)
    throw new SecretMissingError(
      request.text,
      `the file has no key ${key}`,
      "check the key's name; nested keys are joined by dots",
    );
  return value;
}

function withoutMetadata(document: JsonValue): JsonValue {
  if (!isJsonObject(document)) return document;
  const { sops: _metadata, ...rest } = document;
  return rest;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}

function once<T>(known: Map<string, Promise<T>>, name: string, make: () => Promise<T>): Promise<T> {
  const found = known.get(name) ?? make();
  known.set(name, found);
  return found;
}
