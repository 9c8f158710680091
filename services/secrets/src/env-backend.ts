import { parseJson } from "@xcloudflow/model/parse-json";
import { SecretText } from "@xcloudflow/model/secret-text";
import type { SecretBackendReader, SecretRequest } from "./secret-backend.ts";
import { findKey, secretTextOf } from "./secret-key.ts";
import { SecretMissingError, SecretUnreadableError } from "./secrets-errors.ts";

/** A variable of the control plane's environment; undefined when it is not there or may not be read by repositories. */
export type ReadVariable = (name: string) => string | undefined;

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** `secret://env/NAME`; with `#key` the variable holds JSON. `prefix` is put before every name. */
export function createEnvBackend(readVariable: ReadVariable, prefix: string): SecretBackendReader {
  function read(request: SecretRequest): SecretText {
    const name = `${prefix}${request.path}`;
    const value = NAME.test(name) ? readVariable(name) : undefined;
    if (value === undefined) {
      throw new SecretMissingError(
        request.text,
        `there is no environment variable ${name}, or repositories may not read it`,
        "set it where the control plane runs, and allow it there; an embedded one has the environment of the `xcf` that started it: end it (`kill` the pid in .xcf/owner.json) and run this again",
      );
    }
    return new SecretText(request.key === undefined ? value : pickKey(request, value, request.key));
  }
  return {
    read: async (request) => read(request),
    check: async (request) => {
      read(request);
    },
  };
}

function pickKey(request: SecretRequest, text: string, key: string): string {
  let value: ReturnType<typeof findKey>;
  try {
    value = findKey(parseJson(text, request.text), key);
  } catch {
    // No cause: a parser's message quotes what it could not read.
    throw new SecretUnreadableError(
      request.text,
      "the variable does not hold JSON",
      "leave #key out, or put a JSON object there",
    );
  }
  if (value === undefined)
    throw new SecretMissingError(request.text, `the variable has no key ${key}`, "check the key's name");
  return secretTextOf(value);
}
