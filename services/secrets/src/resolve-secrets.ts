import { type AttemptClaims, verifyAttemptToken } from "@xcloudflow/chassis/attempt-token";
import type { Caller } from "@xcloudflow/chassis/caller";
import { CodedError } from "@xcloudflow/model/coded-error";
import { sha256Hex } from "@xcloudflow/model/digest";
import type { SecretText } from "@xcloudflow/model/secret-text";
import { checkAttempt, recordDelivery, recordRefusal } from "./resolution-store.ts";
import { createSecretLookup } from "./secret-lookup.ts";
import type { SecretsContext } from "./secrets-context.ts";
import { AttemptNotEntitledError } from "./secrets-errors.ts";

/**
 * The values an attempt's token names, given out to one request. They are read first and noted as delivered before they
 * leave, so that a secret that cannot be read costs the attempt nothing, and a second request gets nothing.
 *
 * @param requestKey by which the same request is known when its answer was lost; empty when it is not to be.
 * @throws {AttemptTokenInvalidError} when the token is forged or expired.
 * @throws {AttemptNotEntitledError} when it does not name one of the references.
 * @throws {FencePassedError | SecretsDeliveredError} when the attempt may not ask any more.
 */
export async function resolveSecrets(
  context: SecretsContext,
  caller: Caller,
  token: string,
  references: readonly string[],
  requestKey: string,
): Promise<readonly SecretText[]> {
  const digest = requestKey === "" ? undefined : digestOfRequest(requestKey, references);
  const claims = await verifyAttemptToken(context.attemptKey, token, context.clock.now());
  if (claims.tenant !== caller.tenant) throw new AttemptNotEntitledError(claims.unit, "act for another tenant");
  try {
    requireEntitled(claims, references);
    await checkAttempt(context, claims, digest);
    const values = await readAll(context, claims.tenant, references);
    await recordDelivery(context, claims, references, digest);
    return values;
  } catch (error) {
    if (error instanceof CodedError) await noteRefusal(context, claims, references, error);
    throw error;
  }
}

/** Of the references too: what was not asked for at first, and so not noted, is another request. */
function digestOfRequest(key: string, references: readonly string[]): string {
  return sha256Hex(JSON.stringify([key, ...references]));
}

/** The caller must learn why it was refused, even when that could not be noted. */
async function noteRefusal(
  context: SecretsContext,
  claims: AttemptClaims,
  references: readonly string[],
  because: CodedError,
): Promise<void> {
  try {
    await recordRefusal(context, claims, references, because.code);
  } catch (error) {
    context.logger.error("a refused access to secrets could not be noted", { error, because, unit: claims.unit });
  }
}

function requireEntitled(claims: AttemptClaims, references: readonly string[]): void {
  const named = new Set(claims.secrets);
  for (const reference of references) {
    if (!named.has(reference)) throw new AttemptNotEntitledError(claims.unit, `read ${reference}`);
  }
}

async function readAll(
  context: SecretsContext,
  tenant: string,
  references: readonly string[],
): Promise<readonly SecretText[]> {
  const lookup = await createSecretLookup(context, tenant);
  const values: SecretText[] = [];
  for (const reference of references) {
    const { request, reader } = lookup.find(reference);
    values.push(await reader.read(request));
  }
  return values;
}

export interface SecretFinding {
  readonly reference: string;
  readonly problem: string;
  readonly hint: string;
}

/** What is wrong with references, as far as that can be said without reading a value. */
export async function checkSecrets(
  context: SecretsContext,
  tenant: string,
  references: readonly string[],
): Promise<SecretFinding[]> {
  const lookup = await createSecretLookup(context, tenant);
  const findings: SecretFinding[] = [];
  for (const reference of references) {
    try {
      const { request, reader } = lookup.find(reference);
      await reader.check(request);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      findings.push({ reference, problem: error.what, hint: error.hint ?? "" });
    }
  }
  return findings;
}
