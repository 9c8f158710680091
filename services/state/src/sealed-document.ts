import { type DataKey, dataKeyIdOf, type EnvelopeContext, openBytes } from "@xcloudflow/chassis/envelope-encryption";
import type { Keyring } from "@xcloudflow/chassis/keyring";

/** Opens a small sealed value with whichever of the tenant's keys sealed it. @throws {EnvelopeTamperedError} */
export async function openDocument(
  keyring: Keyring,
  context: EnvelopeContext,
  sealed: Uint8Array,
): Promise<Uint8Array> {
  const key: DataKey = await keyring.byId(context.tenant, dataKeyIdOf(sealed, `${context.kind} ${context.unit}`));
  return openBytes(key, context, sealed);
}
