import { serviceCaller } from "@xcloudflow/chassis/caller";
import { CodedError } from "@xcloudflow/model/coded-error";
import type { ApiContext } from "./api-context.ts";
import { apiEvent } from "./api-events.ts";
import { createTokenStore, type StoredToken } from "./token-store.ts";
import { hashSecret, parseToken, type TokenText } from "./token-text.ts";

/** Thrown when the administrator's token in the configuration is no token of ours or could be guessed. */
export class AdminTokenWeakError extends CodedError {
  constructor(what: string) {
    super("ADMIN_TOKEN_WEAK", "invalid", {
      where: "XCF_ADMIN_TOKEN",
      what,
      hint: "xcf_<tenant>.<id>.<32 random bytes as base64url>: docs/access.md has a command that makes one",
    });
  }
}

/** Thrown when the administrator's token in the configuration has the id of a token that somebody made. */
export class AdminTokenTakenError extends CodedError {
  constructor(id: string) {
    super("ADMIN_TOKEN_TAKEN", "alreadyExists", {
      where: "XCF_ADMIN_TOKEN",
      what: `the id ${id} belongs to a token that was not made by configuration`,
      hint: "give it another id",
    });
  }
}

/** `kept`: it was there; `revoked`: it was there and has been revoked, which a restart does not undo. */
export type AdminTokenOutcome = "added" | "replaced" | "kept" | "revoked";

const YEAR_MS = 366 * 24 * 60 * 60 * 1000;
/** 32 random bytes have about 30 different ones; fewer than this happens to none of 10²⁰ of them. */
const DIFFERENT_BYTES = 16;

/**
 * Reads the token that lets an administrator in before there is any other.
 *
 * @throws {AdminTokenWeakError} unless it is a token of ours whose secret looks random. The text is not repeated.
 */
export function readAdminToken(text: string): TokenText {
  const token = parseToken(text.trim());
  if (token === undefined) throw new AdminTokenWeakError("it is not a token of this product");
  const bytes = Buffer.from(token.secret, "base64url");
  if (bytes.toString("base64url") !== token.secret || new Set(bytes).size < DIFFERENT_BYTES)
    throw new AdminTokenWeakError("its secret part is not random");
  return token;
}

/**
 * Sees to it that the configured administrator's token opens the door: at every start, on every replica, with the same
 * outcome. Only its hash is kept. Another secret under the same id takes the place of the earlier one.
 *
 * @throws {AdminTokenTakenError}
 */
export async function keepAdminToken(
  context: Pick<ApiContext, "database" | "clock" | "ids">,
  { tenant, id: stem, secret }: TokenText,
): Promise<AdminTokenOutcome> {
  const now = context.clock.now();
  const token: StoredToken = {
    id: `tok_${stem}`,
    secretHash: hashSecret(secret),
    role: "admin",
    subject: "admin:bootstrap",
    groups: [],
    environments: [],
    writeState: false,
    createdBy: "configuration",
    createdAt: now,
    expiresAt: new Date(now.getTime() + YEAR_MS),
    revokedAt: undefined,
  };
  const event = apiEvent(context, "token.created", serviceCaller(tenant, "api"), {
    subject: token.id,
    data: { role: token.role, holder: token.subject, groups: [], writeState: false },
  });
  const outcome = await createTokenStore(context.database).keep(tenant, token, event);
  if (outcome === "taken") throw new AdminTokenTakenError(token.id);
  return outcome;
}
